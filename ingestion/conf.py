"""The only reader of django.conf.settings: frozen values with their units in the names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from django.conf import settings


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

    @property
    def heartbeat_seconds(self) -> float:
        """Three renewals fit into one lease."""
        return self.lease_seconds / 3

    @property
    def sure_seconds(self) -> float:
        """For so long after it was renewed nobody else can have been given the task. Less than a
        lease: clocks differ, and a ledger that decides writes down one renewal of several."""
        return self.lease_seconds * 5 / 6


@dataclass(frozen=True)
class WarehouseConf:
    url: str
    pipelines_dir: Path
    lock_wait_seconds: float
    http_timeout_seconds: float
    http_attempts: int
    http_first_delay_seconds: float


@dataclass(frozen=True)
class SiteConf:
    """``read_only``: pages and API show everything and change nothing. ``api_requests_per_minute``
    of one caller, 0: without end."""

    read_only: bool
    api_requests_per_minute: int


def site_conf() -> SiteConf:
    return SiteConf(
        read_only=settings.READ_ONLY,
        api_requests_per_minute=settings.API_REQUESTS_PER_MINUTE,
    )


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
    )


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


def warehouse_conf() -> WarehouseConf:
    return WarehouseConf(
        url=settings.WAREHOUSE_URL,
        pipelines_dir=Path(settings.WAREHOUSE_PIPELINES_DIR),
        lock_wait_seconds=settings.SYNC_LOCK_WAIT_SECONDS,
        http_timeout_seconds=settings.SYNC_HTTP_TIMEOUT_SECONDS,
        http_attempts=settings.SYNC_HTTP_ATTEMPTS,
        http_first_delay_seconds=settings.SYNC_HTTP_FIRST_DELAY_SECONDS,
    )


def crm_environment() -> Mapping[str, str]:
    """Base URLs and credentials of the CRMs by setting name."""
    environment: Mapping[str, str] = settings.CRM_ENVIRONMENT
    return environment


def secret_settings() -> tuple[str, ...]:
    """Values that must never be shown: Django's key, and URLs that may hold a password."""
    names = ("SECRET_KEY", "DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL", "WAREHOUSE_URL")
    optional = ("CELERY_RESULT_BACKEND", "METRICS_TOKEN")
    found = (getattr(settings, name, None) for name in (*names, *optional))
    return (*(str(value) for value in found if value), *settings.AUTOMATION_NOTICE_URLS)


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
    cache_url: str
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
        cache_url=settings.CACHE_URL,
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
