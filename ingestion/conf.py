"""The only reader of django.conf.settings: frozen values with their units in the names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from django.conf import settings

from ingestion.private_files import open_to_others


@dataclass(frozen=True)
class PoolConf:
    max_workers: int
    lease_seconds: float
    stale_minutes: float
    dispatch_seconds: float
    retention_minutes: float
    max_attempts: int
    priority_aging_seconds: float
    monitor_seconds: float
    worker_concurrency: int
    cancel_ask_seconds: float
    cancel_soft_seconds: float
    cancel_term_seconds: float
    shutdown_seconds: float
    priority_function: str = ""

    @property
    def heartbeat_seconds(self) -> float:
        """Three renewals fit into one lease."""
        return self.lease_seconds / 3

    @property
    def exclusive_seconds(self) -> float:
        """For so long after it was renewed nobody else can have been given the task. Less than a
        lease: clocks differ, and a ledger that decides writes down one renewal of several."""
        return self.lease_seconds * 5 / 6


@dataclass(frozen=True)
class WarehouseConf:
    """``connections``: how many one run holds at most. ``list_keys_hours``: how often all keys of a source are listed to find what is gone, where
    they cannot be summed up. A run fails with at least ``rejected_records`` records that cannot be
    loaded, where they are also more than ``rejected_percent`` of all. ``schema_policies``: by CRM;
    under "" that of the others."""

    url: str
    pipelines_dir: Path
    lock_wait_seconds: float
    connections: int
    list_keys_hours: float
    rejected_records: int
    rejected_percent: float
    schema_policies: Mapping[str, str]
    http_timeout_seconds: float
    http_attempts: int
    http_first_delay_seconds: float

    def schema_policy(self, crm_source: str) -> str:
        return self.schema_policies.get(crm_source, self.schema_policies[""])


@dataclass(frozen=True)
class DataConf:
    """``masked_columns``, ``open_columns``: patterns of ``crm.table.column`` that are personal data,
    or are not, whatever their names say. ``read_seconds``: no question about rows takes longer.
    ``sql_seconds``, ``sql_rows``: bounds of a query in the SQL box."""

    masked_columns: tuple[str, ...]
    open_columns: tuple[str, ...]
    read_seconds: float
    sql_seconds: float
    sql_rows: int


def data_conf() -> DataConf:
    return DataConf(
        masked_columns=tuple(settings.DATA_MASKED_COLUMNS),
        open_columns=tuple(settings.DATA_OPEN_COLUMNS),
        read_seconds=settings.DATA_READ_SECONDS,
        sql_seconds=settings.DATA_SQL_SECONDS,
        sql_rows=settings.DATA_SQL_ROWS,
    )


@dataclass(frozen=True)
class SiteConf:
    """``read_only``: pages and API show everything and change nothing. ``api_requests_per_minute``
    of one caller, 0: without end. ``login_failures_per_address`` lock an address for
    ``login_locked``, 0: never. ``trusted_proxies``: whose X-Forwarded-For is believed."""

    read_only: bool
    api_requests_per_minute: int
    login_failures_per_address: int
    login_locked: timedelta
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]


def site_conf() -> SiteConf:
    return SiteConf(
        read_only=settings.READ_ONLY,
        api_requests_per_minute=settings.API_REQUESTS_PER_MINUTE,
        login_failures_per_address=settings.LOGIN_FAILURES_PER_ADDRESS,
        login_locked=settings.AXES_COOLOFF_TIME,
        trusted_proxies=tuple(settings.TRUSTED_PROXIES),
    )


@dataclass(frozen=True)
class TransportConf:
    """How people reach the site."""

    is_production: bool
    allowed_hosts: tuple[str, ...]
    secure_cookies: bool
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    site_url: str


def transport_conf() -> TransportConf:
    return TransportConf(
        settings.IS_PRODUCTION,
        tuple(settings.ALLOWED_HOSTS),
        settings.SESSION_COOKIE_SECURE,
        tuple(settings.TRUSTED_PROXIES),
        site_url(),
    )


@dataclass(frozen=True)
class StaticConf:
    """``are_collected``: whether the site serves what collectstatic has put into ``root``."""

    root: Path
    are_collected: bool


def static_conf() -> StaticConf:
    return StaticConf(Path(settings.STATIC_ROOT), are_collected=settings.IS_PRODUCTION)


def sync_queue() -> str:
    """Where syncs are sent."""
    return str(settings.CELERY_TASK_DEFAULT_QUEUE)


def control_queue() -> str:
    """Where the monitor, the rules and the reports are sent; by default where syncs are."""
    return str(settings.CELERY_CONTROL_QUEUE)


@dataclass(frozen=True)
class MetricsConf:
    """Who may read the metrics: whoever has the token, or calls from one of the networks."""

    token: str
    networks: tuple[IPv4Network | IPv6Network, ...]


def metrics_conf() -> MetricsConf:
    return MetricsConf(token=settings.METRICS_TOKEN, networks=tuple(settings.METRICS_NETWORKS))


def pool_conf() -> PoolConf:
    return PoolConf(
        max_workers=settings.MAX_SYNC_WORKERS,
        lease_seconds=settings.WORKER_POOL_LEASE_SECONDS,
        stale_minutes=settings.WORKER_POOL_STALE_MINUTES,
        dispatch_seconds=settings.WORKER_POOL_DISPATCH_SECONDS,
        retention_minutes=settings.WORKER_POOL_RETENTION_MINUTES,
        max_attempts=settings.WORKER_POOL_MAX_ATTEMPTS,
        priority_aging_seconds=settings.WORKER_POOL_PRIORITY_AGING_SECONDS,
        monitor_seconds=settings.WORKER_POOL_MONITOR_SECONDS,
        worker_concurrency=settings.CELERY_WORKER_CONCURRENCY,
        cancel_ask_seconds=settings.WORKER_POOL_CANCEL_ASK_SECONDS,
        cancel_soft_seconds=settings.WORKER_POOL_CANCEL_SOFT_SECONDS,
        cancel_term_seconds=settings.WORKER_POOL_CANCEL_TERM_SECONDS,
        shutdown_seconds=settings.WORKER_POOL_SHUTDOWN_SECONDS,
        priority_function=settings.WORKER_POOL_PRIORITY_FUNCTION,
    )


def ledger_call_seconds() -> float:
    """No verb of the pool waits longer for the ledger's database."""
    return float(settings.LEDGER_CALL_SECONDS)


@dataclass(frozen=True)
class HistoryConf:
    """``retention_days`` 0: every run is kept."""

    retention_days: float


def history_conf() -> HistoryConf:
    return HistoryConf(retention_days=settings.HISTORY_RETENTION_DAYS)


@dataclass(frozen=True)
class AutomationConf:
    """``max_workers``: the highest limit that a rule may set. ``notice_urls``: where reports and
    open questions are told, as apprise writes it; they may hold secrets."""

    max_workers: int
    notice_urls: tuple[str, ...]


def automation_conf() -> AutomationConf:
    return AutomationConf(
        max_workers=settings.AUTOMATION_MAX_WORKERS,
        notice_urls=tuple(settings.AUTOMATION_NOTICE_URLS),
    )


@dataclass(frozen=True)
class BreakerConf:
    """``first_minutes``: for so long a CRM that keeps failing is left in peace at first; 0: never."""

    first_minutes: float


def breaker_conf() -> BreakerConf:
    return BreakerConf(first_minutes=settings.SYNC_BREAKER_MINUTES)


@dataclass(frozen=True)
class NoticeConf:
    """``channels``: name and apprise URL of each. All addresses may hold secrets."""

    channels: tuple[tuple[str, str], ...]
    webhook_urls: tuple[str, ...]
    webhook_secret: str
    ping_url: str


def notice_conf() -> NoticeConf:
    return NoticeConf(
        channels=tuple(settings.NOTICE_CHANNELS.items()),
        webhook_urls=tuple(settings.TASK_WEBHOOK_URLS),
        webhook_secret=settings.TASK_WEBHOOK_SECRET,
        ping_url=settings.MONITOR_PING_URL,
    )


def site_url() -> str:
    """Where the pages are for whoever reads a notice, without a slash at the end; may be empty."""
    return str(settings.SITE_URL).rstrip("/")


@dataclass(frozen=True)
class ServersConf:
    """Where the servers are, as the operator wrote it."""

    cache_url: str
    broker_url: str
    result_url: str = ""


def servers_conf() -> ServersConf:
    return ServersConf(settings.CACHE_URL, settings.BROKER_URL, settings.RESULT_URL)


def warehouse_conf() -> WarehouseConf:
    return WarehouseConf(
        url=settings.WAREHOUSE_URL,
        pipelines_dir=Path(settings.WAREHOUSE_PIPELINES_DIR),
        lock_wait_seconds=settings.SYNC_LOCK_WAIT_SECONDS,
        connections=settings.SYNC_WAREHOUSE_CONNECTIONS,
        list_keys_hours=settings.SYNC_LIST_KEYS_HOURS,
        rejected_records=settings.SYNC_REJECTED_RECORDS,
        rejected_percent=settings.SYNC_REJECTED_PERCENT,
        schema_policies=settings.SYNC_SCHEMA_POLICY,
        http_timeout_seconds=settings.SYNC_HTTP_TIMEOUT_SECONDS,
        http_attempts=settings.SYNC_HTTP_ATTEMPTS,
        http_first_delay_seconds=settings.SYNC_HTTP_FIRST_DELAY_SECONDS,
    )


def crm_environment() -> Mapping[str, str]:
    """Base URLs and credentials of the CRMs by setting name."""
    environment: Mapping[str, str] = settings.CRM_ENVIRONMENT
    return environment


def is_of_running_system(name: str) -> bool:
    """Whether a CRM's setting has its value from ``manage.py up``, and not from the operator."""
    environment = settings.CRM_ENVIRONMENT
    return name in environment and not environment.configured(name)


def secret_settings() -> tuple[str, ...]:
    """Values that must never be shown: Django's key, and URLs that may hold a password."""
    names = ("SECRET_KEY", "DATABASE_URL", "CACHE_URL", "BROKER_URL", "WAREHOUSE_URL")
    optional = ("RESULT_URL", "METRICS_TOKEN", "TASK_WEBHOOK_SECRET", "MONITOR_PING_URL")
    found = (getattr(settings, name, None) for name in (*names, *optional))
    return (
        *(str(value) for value in found if value),
        *settings.AUTOMATION_NOTICE_URLS,
        *settings.NOTICE_CHANNELS.values(),
        *settings.TASK_WEBHOOK_URLS,
    )


def var_dir() -> Path:
    """The one folder that holds what this clone's system writes; git ignores it."""
    return Path(settings.VAR_DIR)


@dataclass(frozen=True)
class SystemConf:
    """What starting the whole system needs. ``configured`` gives what the operator set for a
    name, in the environment or ``.env``, or an empty string."""

    base_dir: Path
    var_dir: Path
    log_dir: Path
    is_production: bool
    broker_url: str
    warehouse_url: str
    worker_concurrency: int
    worker_shutdown_seconds: float
    max_workers: int
    log_level: str
    setting_names: tuple[str, ...]
    dotenv_names: tuple[str, ...]
    configured: Callable[[str], str]


def system_conf() -> SystemConf:
    return SystemConf(
        base_dir=Path(settings.BASE_DIR),
        var_dir=var_dir(),
        log_dir=Path(settings.LOG_DIR),
        is_production=settings.IS_PRODUCTION,
        broker_url=settings.CELERY_BROKER_URL,
        warehouse_url=settings.WAREHOUSE_URL,
        worker_concurrency=settings.CELERY_WORKER_CONCURRENCY,
        worker_shutdown_seconds=settings.WORKER_POOL_SHUTDOWN_SECONDS,
        max_workers=settings.MAX_SYNC_WORKERS,
        log_level=settings.LOG_LEVEL,
        setting_names=tuple(settings.SETTING_DEFAULTS),
        dotenv_names=tuple(settings.CRM_ENVIRONMENT.dotenv),
        configured=settings.CRM_ENVIRONMENT.configured,
    )


@dataclass(frozen=True)
class BackupConf:
    """``secret_files``: what this installation needs besides its databases; missing ones too."""

    ledger_url: str
    warehouse_url: str
    secret_files: tuple[Path, ...]


def backup_conf() -> BackupConf:
    own = [var_dir() / name for name in ("secret-key", "operator-login", "redis-password")]
    secrets = (settings.CRM_ENVIRONMENT.dotenv_file, *own)
    return BackupConf(settings.DATABASE_URL, settings.WAREHOUSE_URL, secrets)


def secret_files() -> list[Path]:
    """Where secrets, people's data and password hashes stand: ``.env``, and everything in VAR_DIR
    unless that is its owner's alone. Missing ones too."""
    found = [settings.CRM_ENVIRONMENT.dotenv_file]
    if open_to_others([var_dir()]):
        found += sorted(path for path in var_dir().rglob("*") if path.is_file())
    return found


@dataclass(frozen=True)
class SettingValue:
    """A setting as it is in force. ``source``: environment, .env, running system or default."""

    name: str
    value: str
    source: str


def setting_values(defaults: Mapping[str, Any] | None = None) -> list[SettingValue]:
    """The named settings, or all that the project itself reads, in the order of their defaults.
    The values may be secrets."""
    found = settings.CRM_ENVIRONMENT
    return [
        SettingValue(name, found.get(name) or _text(default), found.source_of(name))
        for name, default in (settings.SETTING_DEFAULTS if defaults is None else defaults).items()
    ]


def _text(default: Any) -> str:
    """As one writes it into ``.env``."""
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(default) if isinstance(default, list) else str(default)
