"""All settings. The only reader of the environment; the rest of the project reads ingestion.conf."""

from datetime import timedelta
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from data_warehouse.environment import BASE_DIR, Settings, environment

config = Settings(environment)

DJANGO_ENV = config.choice("DJANGO_ENV", "development", ("production", "development"))
IS_PRODUCTION = DJANGO_ENV == "production"
DEBUG = config.flag("DEBUG", False)
SECRET_KEY = config.text("SECRET_KEY", "" if IS_PRODUCTION else "development-only-key")
if IS_PRODUCTION and len(SECRET_KEY) < 32:
    config.problems.append(
        "SECRET_KEY must be set in production, to 32 characters or more; this makes one: "
        "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
if IS_PRODUCTION and DEBUG:
    config.problems.append("DEBUG must not be on in production: its error pages show settings.")
ALLOWED_HOSTS = config.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = config.words("CSRF_TRUSTED_ORIGINS")

VAR_DIR = Path(config.text("VAR_DIR", str(BASE_DIR / "var"))).absolute()
LOG_DIR = Path(config.text("LOG_DIR", str(BASE_DIR / "logs"))).absolute()
for directory in (VAR_DIR, LOG_DIR):
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        config.problems.append(f"The folder {directory} cannot be made: {problem.strerror}.")

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
    "ingestion",
]
MIDDLEWARE = [
    "ingestion.api.middleware.ApiErrorsMiddleware",
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
# A clone serves static/ as it stands; production serves what collectstatic made, hashed names.
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
# Nobody changes anything through pages and API; logging in and out still works.
READ_ONLY = config.flag("READ_ONLY", False)
API_REQUESTS_PER_MINUTE = config.whole("API_REQUESTS_PER_MINUTE", 3000, minimum=0)
AUTHENTICATION_BACKENDS = [
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
AXES_FAILURE_LIMIT = config.whole("LOGIN_FAILURES", 5, minimum=1)
LOGIN_LOCKED_MINUTES = config.number("LOGIN_LOCKED_MINUTES", 15, minimum=0.1)
AXES_COOLOFF_TIME = timedelta(minutes=LOGIN_LOCKED_MINUTES)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_VERBOSE = False

# --- Metrics: nobody may read them unless one of these is set ---------------------------------
METRICS_TOKEN = config.text("METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    config.problems.append("METRICS_TOKEN must have 16 characters or more.")
METRICS_NETWORKS = config.networks("METRICS_NETWORKS")

# --- Database: the ledger ---------------------------------------------------------------------
_LEDGER_FILE_URL = f"sqlite:///{VAR_DIR / 'ledger.sqlite3'}"
DATABASE_URL = config.text("DATABASE_URL", _LEDGER_FILE_URL)
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_health_checks=True)}
except ValueError:
    # Its value is not shown: it may hold a password.
    config.problems.append(
        "DATABASE_URL is not a database URL; write postgresql://user:password@host/name."
    )
    DATABASES = {"default": dj_database_url.parse(_LEDGER_FILE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Several processes write: wait for each other, and take the write lock at the start.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # A server that is away must not hold a call for minutes; the second is in milliseconds.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 2,
        "tcp_user_timeout": 2000,
        **DATABASES["default"].get("OPTIONS", {}),
    }

# --- Redis: cache and referee in one database, the broker in another --------------------------
# cache.clear() flushes its whole Redis database; the broker's messages must not stand there.
CACHE_URL = config.text("CACHE_URL", "redis://127.0.0.1:6379/1")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        # The braces are a Redis hash tag: a cluster keeps all keys of the pool on one node.
        "KEY_PREFIX": config.text("CACHE_KEY_PREFIX", "{dw}"),
        "OPTIONS": {
            # A call that finds Redis away goes on over the ledger, within two seconds in all.
            "SOCKET_CONNECT_TIMEOUT": 1.2,
            "SOCKET_TIMEOUT": 1.2,
            "CONNECTION_POOL_KWARGS": {"protocol": 2},
        },
    }
}

# --- The worker pool; units stand in the names, .env.example explains each --------------------
MAX_SYNC_WORKERS = config.whole("MAX_SYNC_WORKERS", 2, minimum=1, maximum=100)
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
WORKER_POOL_MONITOR_SECONDS = config.number(
    "WORKER_POOL_MONITOR_SECONDS", 120 if IS_PRODUCTION else 300, minimum=1
)

AUTOMATION_MAX_WORKERS = config.whole("AUTOMATION_MAX_WORKERS", 4, minimum=1, maximum=100)
AUTOMATION_NOTICE_URLS = config.words("AUTOMATION_NOTICE_URLS")
HISTORY_RETENTION_DAYS = config.number("HISTORY_RETENTION_DAYS", 90, minimum=0)

# --- Celery -----------------------------------------------------------------------------------
CELERY_BROKER_URL = config.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_RESULT_BACKEND = config.text("CELERY_RESULT_BACKEND") or None
CELERY_TASK_DEFAULT_QUEUE = config.text(
    "CELERY_TASK_DEFAULT_QUEUE", "dw-production" if IS_PRODUCTION else "dw-local"
)
CELERY_TASK_ROUTES = {
    pattern: {"queue": CELERY_TASK_DEFAULT_QUEUE, "routing_key": CELERY_TASK_DEFAULT_QUEUE}
    for pattern in ("ingestion.*", "data_warehouse.*")
}
CELERY_TASK_ACKS_LATE = False  # the pool holds a task's state, and its claim is fenced
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = CELERY_BROKER_URL.startswith(("redis", "rediss"))
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False  # a command's own output is no warning
CELERY_WORKER_CONCURRENCY = config.whole("CELERY_WORKER_CONCURRENCY", 12, minimum=2)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A worker fetches a message for a free process alone and acknowledges it when that begins. What is
# not acknowledged for so long was fetched by a worker that died: another one gets it.
UNACKNOWLEDGED_SECONDS = 5 * WORKER_POOL_DISPATCH_SECONDS
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "socket_timeout": 5,
        "socket_connect_timeout": 1.5,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
        "visibility_timeout": UNACKNOWLEDGED_SECONDS,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }
    if CELERY_BROKER_URL.startswith(("redis", "rediss"))
    else {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
)
CELERY_BEAT_SCHEDULER = "data_warehouse.scheduler:WholeDatabaseScheduler"

# --- The warehouse ----------------------------------------------------------------------------
WAREHOUSE_URL = config.text(
    "WAREHOUSE_URL", f"sqlite:///{VAR_DIR / 'warehouse' / 'warehouse.sqlite3'}"
)
WAREHOUSE_PIPELINES_DIR = config.text("WAREHOUSE_PIPELINES_DIR", str(VAR_DIR / "pipelines"))
SYNC_LOCK_WAIT_SECONDS = config.number("SYNC_LOCK_WAIT_SECONDS", 300, minimum=0)
SYNC_HTTP_TIMEOUT_SECONDS = config.number("SYNC_HTTP_TIMEOUT_SECONDS", 60, minimum=0.1)
SYNC_HTTP_ATTEMPTS = config.whole("SYNC_HTTP_ATTEMPTS", 6, minimum=1, maximum=20)
SYNC_HTTP_FIRST_DELAY_SECONDS = config.number("SYNC_HTTP_FIRST_DELAY_SECONDS", 1, minimum=0)

# Base URLs and credentials of the CRMs, read by name; each CRM's folder lists its own.
CRM_ENVIRONMENT = environment

# --- Logs -------------------------------------------------------------------------------------
LOG_LEVEL = config.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))


def _log_file(name: str, **extra: object) -> dict[str, object]:
    """A file that several processes write."""
    return {
        "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
        "filename": str(LOG_DIR / name),
        "maxBytes": 10_000_000,
        "backupCount": 5,
        "formatter": "line",
        **extra,
    }


def _without(*loggers: str) -> dict[str, object]:
    return {"()": "data_warehouse.logs.Without", "loggers": loggers}


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "ingestion.services.secrets.MaskingFormatter",
            "fmt": "{asctime} {levelname} {name} [{process}] {message}",
            "style": "{",
        }
    },
    "filters": {
        "not_elsewhere": _without("ingestion", "celery"),
        "not_a_sync": _without("ingestion.sync"),
        "not_health": {"()": "data_warehouse.logs.NotHealth"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "level": "WARNING"},
        "general": _log_file("general.log", filters=["not_elsewhere"]),
        "ingestion": _log_file("ingestion.log", filters=["not_a_sync"]),
        "celery": _log_file("celery.log"),
        "sync_engines": _log_file("sync_engines.log"),
    },
    "root": {"handlers": ["console", "general"], "level": LOG_LEVEL},
    "loggers": {
        "ingestion": {"handlers": ["ingestion"], "level": LOG_LEVEL},
        "ingestion.sync": {"handlers": ["sync_engines"], "level": LOG_LEVEL},
        "celery": {"handlers": ["celery"], "level": LOG_LEVEL},
        "django.request": {"filters": ["not_health"]},
    },
}

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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = config.flag("SECURE_COOKIES", IS_PRODUCTION)

SETTING_DEFAULTS = config.defaults
config.stop_if_wrong()
