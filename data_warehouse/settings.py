"""All settings. The only reader of the environment; the rest of the project reads ingestion.conf."""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from data_warehouse import log_files, servers
from data_warehouse.environment import BASE_DIR, Settings, environment
from data_warehouse.known_secrets import is_well_known, own_secret, well_known_in_urls
from ingestion import private_files
from ingestion.sync.common.run import POLICIES

config = Settings(environment)

DJANGO_ENV = config.choice("DJANGO_ENV", "development", ("production", "development"))
IS_PRODUCTION = DJANGO_ENV == "production"
DEBUG = config.flag("DEBUG", False)
SECRET_KEY = config.text("SECRET_KEY")
if IS_PRODUCTION and (len(SECRET_KEY) < 32 or is_well_known(SECRET_KEY)):
    config.problems.append(
        "SECRET_KEY must be set in production, to 32 characters or more that nobody else has; this "
        "makes one: "
        "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
if IS_PRODUCTION and DEBUG:
    config.problems.append("DEBUG must not be on in production: its error pages show settings.")
ALLOWED_HOSTS = config.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = config.words("CSRF_TRUSTED_ORIGINS")

INGESTION_VAR_DIR = Path(config.text("VAR_DIR", str(BASE_DIR / "var"))).absolute()
INGESTION_LOG_DIR = Path(config.text("LOG_DIR", str(BASE_DIR / "logs"))).absolute()
for directory in (INGESTION_VAR_DIR, INGESTION_LOG_DIR):
    try:
        if directory == INGESTION_VAR_DIR:
            private_files.make_folder(directory)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        config.problems.append(f"The folder {directory} cannot be made: {problem.strerror}.")

if not IS_PRODUCTION and not SECRET_KEY:
    # Never one that stands in the code: a server that was started without DJANGO_ENV is reached too.
    SECRET_KEY = own_secret(INGESTION_VAR_DIR / "secret-key")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_celery_beat",
    "django_structlog",
    "ingestion",
]
# A tool of development: whoever installs the wheel has none. A folder without modules is none.
if (_sandbox := find_spec("sandbox")) and _sandbox.origin:
    INSTALLED_APPS.append("sandbox")
MIDDLEWARE = [
    "ingestion.services.security.addresses.ClientAddressMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "ingestion.services.infra.access_log.AccessLogMiddleware",
    "ingestion.api.http.middleware.ApiErrorsMiddleware",
    "ingestion.services.infra.bounds.BoundedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ingestion.views.read_only.ReadOnlyMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "data_warehouse.urls"
WSGI_APPLICATION = "data_warehouse.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ingestion.views.context.rights",
            ],
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static_collected"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Production serves what collectstatic made, hashed names; where that has not run, as a clone does.
WHITENOISE_USE_FINDERS = not (IS_PRODUCTION and (STATIC_ROOT / "staticfiles.json").is_file())
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "data_warehouse.static_files.HashedWhereCollected"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
# Nobody changes anything through pages and API; logging in and out still works.
INGESTION_READ_ONLY = config.flag("READ_ONLY", False)
INGESTION_API_REQUESTS_PER_MINUTE = config.whole("API_REQUESTS_PER_MINUTE", 3000, minimum=0)
AUTHENTICATION_BACKENDS = [
    "ingestion.services.security.logins.AddressBackend",
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Counted per user name and address, so that nobody is locked out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "ingestion.services.security.addresses.caller_group"
INGESTION_LOGIN_FAILURES_PER_ADDRESS = config.whole("LOGIN_FAILURES_PER_ADDRESS", 20, minimum=0)
INGESTION_TRUSTED_PROXIES = config.networks("TRUSTED_PROXIES")
AXES_FAILURE_LIMIT = config.whole("LOGIN_FAILURES", 5, minimum=1)
LOGIN_LOCKED_MINUTES = config.number("LOGIN_LOCKED_MINUTES", 15, minimum=0.1)
AXES_COOLOFF_TIME = timedelta(minutes=LOGIN_LOCKED_MINUTES)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_VERBOSE = False

# --- Metrics: nobody may read them unless one of these is set ---------------------------------
INGESTION_METRICS_TOKEN = config.text("METRICS_TOKEN")
if INGESTION_METRICS_TOKEN and len(INGESTION_METRICS_TOKEN) < 16:
    config.problems.append("METRICS_TOKEN must have 16 characters or more.")
INGESTION_METRICS_NETWORKS = config.networks("METRICS_NETWORKS")

# --- Database: the ledger ---------------------------------------------------------------------
_LEDGER_FILE_URL = f"sqlite:///{INGESTION_VAR_DIR / 'ledger.sqlite3'}"
INGESTION_DATABASE_URL = config.text("DATABASE_URL", _LEDGER_FILE_URL)
try:
    DATABASES = {"default": dj_database_url.parse(INGESTION_DATABASE_URL, conn_health_checks=True)}
except ValueError:
    # Its value is not shown: it may hold a password.
    config.problems.append(
        "DATABASE_URL is not a database URL; write postgresql://user:password@host/name."
    )
    DATABASES = {"default": dj_database_url.parse(_LEDGER_FILE_URL)}
# Behind such a pooler a cursor of the server is gone with its transaction.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = config.flag(
    "DATABASE_TRANSACTION_POOLING", False
)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Several processes write: wait for each other, and take the write lock at the start.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "factory": private_files.PrivateConnection,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["ENGINE"] = "ingestion.postgresql"
    # A server that is away must not hold a call for minutes; the second is in milliseconds.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 2,
        "tcp_user_timeout": 2000,
        **DATABASES["default"].get("OPTIONS", {}),
    }

# No verb of the pool, and no page's question, waits longer for the ledger, frozen, cut or locked.
INGESTION_LEDGER_CALL_SECONDS = config.number("LEDGER_CALL_SECONDS", 4.5, minimum=3)

# --- Redis: cache and pool state in one database, the broker in another --------------------------
# cache.clear() flushes its whole Redis database; the broker's messages must not stand there.
INGESTION_CACHE_URL = config.text("CACHE_URL", "redis://127.0.0.1:6379/1")
CACHES = servers.caches(config, INGESTION_CACHE_URL)

# --- The worker pool; units stand in the names, .env.example explains each --------------------
MAX_SYNC_WORKERS = config.whole("MAX_SYNC_WORKERS", 2, minimum=1, maximum=1000)
WORKER_POOL_STALE_MINUTES = config.number("WORKER_POOL_STALE_MINUTES", 30, minimum=0.01)
WORKER_POOL_LEASE_SECONDS = config.number("WORKER_POOL_LEASE_SECONDS", 90, minimum=1)
WORKER_POOL_DISPATCH_SECONDS = config.number("WORKER_POOL_DISPATCH_SECONDS", 60, minimum=1)
WORKER_POOL_CANCEL_ASK_SECONDS = config.number("WORKER_POOL_CANCEL_ASK_SECONDS", 30, minimum=0.1)
WORKER_POOL_CANCEL_SOFT_SECONDS = config.number("WORKER_POOL_CANCEL_SOFT_SECONDS", 10, minimum=0.1)
WORKER_POOL_CANCEL_TERM_SECONDS = config.number("WORKER_POOL_CANCEL_TERM_SECONDS", 10, minimum=0.1)
WORKER_POOL_SHUTDOWN_SECONDS = config.number("WORKER_POOL_SHUTDOWN_SECONDS", 8, minimum=0.1)
WORKER_POOL_RETENTION_MINUTES = config.number("WORKER_POOL_RETENTION_MINUTES", 60, minimum=0.01)
WORKER_POOL_MAX_ATTEMPTS = config.whole("WORKER_POOL_MAX_ATTEMPTS", 1, minimum=1)
WORKER_POOL_PRIORITY_AGING_SECONDS = config.number(
    "WORKER_POOL_PRIORITY_AGING_SECONDS", 3600, minimum=0
)
WORKER_POOL_PRIORITY_FUNCTION = config.text("WORKER_POOL_PRIORITY_FUNCTION")
WORKER_POOL_MONITOR_SECONDS = config.number(
    "WORKER_POOL_MONITOR_SECONDS", 120 if IS_PRODUCTION else 300, minimum=1
)
INGESTION_AUTOMATION_MAX_WORKERS = config.whole(
    "AUTOMATION_MAX_WORKERS", 4, minimum=1, maximum=1000
)
INGESTION_AUTOMATION_NOTICE_URLS = config.words("AUTOMATION_NOTICE_URLS")
# --- Notices ----------------------------------------------------------------------------------
INGESTION_SITE_URL = config.text("SITE_URL")
INGESTION_NOTICE_CHANNELS = config.named("NOTICE_CHANNELS")
INGESTION_TASK_WEBHOOK_URLS = config.words("TASK_WEBHOOK_URLS")
INGESTION_TASK_WEBHOOK_SECRET = config.text("TASK_WEBHOOK_SECRET")
INGESTION_MONITOR_PING_URL = config.text("MONITOR_PING_URL")
INGESTION_HISTORY_RETENTION_DAYS = config.number("HISTORY_RETENTION_DAYS", 90, minimum=0)
# --- Traces and errors, for other programs --------------------------------------------------------
INGESTION_TRACES_URL = config.text("TRACES_URL")
INGESTION_TRACES_SHARE = config.number("TRACES_SHARE", 1, minimum=0, maximum=1)
INGESTION_SENTRY_DSN = config.text("SENTRY_DSN")

# --- Celery -----------------------------------------------------------------------------------
INGESTION_BROKER_URL = config.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
INGESTION_RESULT_URL = config.text("CELERY_RESULT_BACKEND")
_broker, _results = (
    servers.broker(config, INGESTION_BROKER_URL),
    servers.results(config, INGESTION_RESULT_URL),
)
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = _broker.url, _broker.tls
# Celery itself reads CELERY_BROKER_URL from the environment, before the setting and as it stands there.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = _broker.url if _broker.options else None
CELERY_RESULT_BACKEND, CELERY_REDIS_BACKEND_USE_SSL = _results.url or None, _results.tls
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = _results.options
CELERY_TASK_DEFAULT_QUEUE = config.text(
    "CELERY_TASK_DEFAULT_QUEUE", "dw-production" if IS_PRODUCTION else "dw-local"
)
# What keeps the pool going and is no sync. A worker of its own may take it: celery worker --queues.
CELERY_CONTROL_QUEUE = config.text("CELERY_CONTROL_QUEUE", CELERY_TASK_DEFAULT_QUEUE)
CELERY_TASK_ROUTES = servers.task_routes(
    config, syncs=CELERY_TASK_DEFAULT_QUEUE, control=CELERY_CONTROL_QUEUE
)
CELERY_TASK_QUEUES = servers.queues(*(to["queue"] for to in CELERY_TASK_ROUTES.values()))
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False  # the pool holds a task's state, and its claim is fenced
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = _broker.is_redis
CELERY_WORKER_CONCURRENCY = config.whole("CELERY_WORKER_CONCURRENCY", 12, minimum=2)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A worker fetches a message for a free process alone and acknowledges it when that begins. What is
# not acknowledged for so long was fetched by a worker that died: another one gets it.
UNACKNOWLEDGED_SECONDS = 5 * WORKER_POOL_DISPATCH_SECONDS
CELERY_BROKER_TRANSPORT_OPTIONS = servers.transport_options(_broker, UNACKNOWLEDGED_SECONDS)
CELERY_BEAT_SCHEDULER = "ingestion.scheduler:WholeDatabaseScheduler"

# --- The warehouse ----------------------------------------------------------------------------
INGESTION_WAREHOUSE_URL = config.text(
    "WAREHOUSE_URL", f"sqlite:///{INGESTION_VAR_DIR / 'warehouse' / 'warehouse.sqlite3'}"
)
INGESTION_WAREHOUSE_PIPELINES_DIR = config.text(
    "WAREHOUSE_PIPELINES_DIR", str(INGESTION_VAR_DIR / "pipelines")
)
INGESTION_SYNC_LOCK_WAIT_SECONDS = config.number("SYNC_LOCK_WAIT_SECONDS", 300, minimum=0)
INGESTION_SYNC_WAREHOUSE_CONNECTIONS = config.whole("SYNC_WAREHOUSE_CONNECTIONS", 2, minimum=1)
INGESTION_SYNC_LIST_KEYS_HOURS = config.number("SYNC_LIST_KEYS_HOURS", 24, minimum=0)
INGESTION_SYNC_SCHEMA_POLICY = config.choices("SYNC_SCHEMA_POLICY", "evolve", POLICIES)
INGESTION_SYNC_REJECTED_RECORDS = config.whole("SYNC_REJECTED_RECORDS", 50, minimum=1)
INGESTION_SYNC_REJECTED_PERCENT = config.number("SYNC_REJECTED_PERCENT", 1, minimum=0, maximum=100)
INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = config.number("SYNC_HTTP_TIMEOUT_SECONDS", 60, minimum=0.1)
INGESTION_SYNC_HTTP_ATTEMPTS = config.whole("SYNC_HTTP_ATTEMPTS", 6, minimum=1, maximum=20)
INGESTION_SYNC_BREAKER_MINUTES = config.number("SYNC_BREAKER_MINUTES", 15, minimum=0, maximum=360)
INGESTION_SYNC_HTTP_FIRST_DELAY_SECONDS = config.number(
    "SYNC_HTTP_FIRST_DELAY_SECONDS", 1, minimum=0
)

# --- The data as people see it ----------------------------------------------------------------
INGESTION_DATA_MASKED_COLUMNS = config.words("DATA_MASKED_COLUMNS")
INGESTION_DATA_OPEN_COLUMNS = config.words("DATA_OPEN_COLUMNS")
INGESTION_DATA_READ_SECONDS = config.number("DATA_READ_SECONDS", 4, minimum=0.1, maximum=60)
INGESTION_DATA_SQL_SECONDS = config.number("DATA_SQL_SECONDS", 15, minimum=0.1, maximum=300)
INGESTION_DATA_SQL_ROWS = config.whole("DATA_SQL_ROWS", 1000, minimum=1, maximum=10_000)
# Base URLs and credentials of the CRMs, read by name; each CRM's folder lists its own.
INGESTION_CRM_ENVIRONMENT = environment

_URLS = {
    "DATABASE_URL": INGESTION_DATABASE_URL,
    "CACHE_URL": INGESTION_CACHE_URL,
    "CELERY_BROKER_URL": INGESTION_BROKER_URL,
    "CELERY_RESULT_BACKEND": INGESTION_RESULT_URL,
    "WAREHOUSE_URL": INGESTION_WAREHOUSE_URL,
}
if IS_PRODUCTION:
    for _name in well_known_in_urls(_URLS):
        config.problems.append(f"The password in {_name} is one that everybody knows; change it.")
    if INGESTION_METRICS_TOKEN and is_well_known(INGESTION_METRICS_TOKEN):
        config.problems.append("METRICS_TOKEN is one that everybody knows; change it.")

# --- Logs: JSON into the files, for people or programs on the console, see logs.py --------------
INGESTION_LOG_LEVEL = config.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
INGESTION_LOG_FORMAT = config.choice("LOG_FORMAT", "console", ("console", "json"))
LOGGING_CONFIG = "data_warehouse.logs.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "data_warehouse.logs.console_formatter"},
        "json": {"()": "data_warehouse.logs.json_formatter"},
    },
    "filters": {
        "no_health_check": {
            "()": "django.utils.log.CallbackFilter",
            "callback": "ext://data_warehouse.logs.is_no_health_check",
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": INGESTION_LOG_FORMAT,
            "level": "WARNING",
        },
        **log_files.handlers(
            INGESTION_LOG_DIR, "general", "ingestion", "celery", "sync_engines", "access"
        ),
    },
    "root": {"handlers": ["console", "general"], "level": INGESTION_LOG_LEVEL},
    "loggers": {
        "ingestion": log_files.logger("ingestion", level=INGESTION_LOG_LEVEL),
        "ingestion.sync": log_files.logger("sync_engines", level=INGESTION_LOG_LEVEL),
        "ingestion.access": log_files.logger("access", level=INGESTION_LOG_LEVEL),
        "celery": log_files.logger("celery", level=INGESTION_LOG_LEVEL),
        "django.request": {"filters": ["no_health_check"]},
        # It binds the ids; what happens to a request or a task Django and Celery log themselves.
        "django_structlog": {"level": "CRITICAL"},
        # It warns of every request that waits for a thread.
        "waitress.queue": {"level": "ERROR"},
    },
}
# Of a request its id alone: a user or an address would be looked up for every one.
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_CELERY_ENABLED = True

SECURE_CONTENT_TYPE_NOSNIFF = True
# Nothing inline, nothing from elsewhere. The pictures in stylesheets are data: URLs.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- HTTPS: a proxy ends it, and says so in X-Forwarded-Proto, which only TRUSTED_PROXIES may -----
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = config.flag("SECURE_COOKIES", IS_PRODUCTION)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Without such a proxy no request ever counts as secure, and each would be redirected for ever.
SECURE_SSL_REDIRECT = config.flag(
    "SECURE_SSL_REDIRECT", SESSION_COOKIE_SECURE and bool(INGESTION_TRUSTED_PROXIES)
)
# Probes and Prometheus ask the process itself.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = config.whole(
    "SECURE_HSTS_SECONDS", 3600 if SECURE_SSL_REDIRECT else 0, minimum=0
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = config.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = config.flag("SECURE_HSTS_PRELOAD", False)
# Whether every other name under this domain speaks HTTPS is for its owner to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INGESTION_SETTING_DEFAULTS = config.defaults
config.stop_if_wrong()
