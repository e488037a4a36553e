"""What is set, as frozen values with their units in the names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from celery import current_app

from ingestion.settings_reader import (
    broker_url,
    cache_url,
    environment,
    given,
    is_production,
    own,
    var_dir,
    warehouse_url,
)


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
        masked_columns=tuple(own("DATA_MASKED_COLUMNS", ())),
        open_columns=tuple(own("DATA_OPEN_COLUMNS", ())),
        read_seconds=own("DATA_READ_SECONDS", 4),
        sql_seconds=own("DATA_SQL_SECONDS", 15),
        sql_rows=own("DATA_SQL_ROWS", 1000),
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
        read_only=own("READ_ONLY", False),
        api_requests_per_minute=own("API_REQUESTS_PER_MINUTE", 3000),
        login_failures_per_address=own("LOGIN_FAILURES_PER_ADDRESS", 20),
        login_locked=given("AXES_COOLOFF_TIME", timedelta(minutes=15)),
        trusted_proxies=tuple(own("TRUSTED_PROXIES", ())),
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
        is_production(),
        tuple(given("ALLOWED_HOSTS", ())),
        given("SESSION_COOKIE_SECURE", False),
        tuple(own("TRUSTED_PROXIES", ())),
        site_url(),
    )


@dataclass(frozen=True)
class StaticConf:
    """``are_collected``: whether the site serves what collectstatic has put into ``root``."""

    root: Path
    are_collected: bool


def static_conf() -> StaticConf:
    return StaticConf(Path(given("STATIC_ROOT", None) or ""), are_collected=is_production())


def sync_queue() -> str:
    """Where syncs are sent that no route sends elsewhere, and what schedules run beside the pool."""
    return str(given("CELERY_TASK_DEFAULT_QUEUE", "") or current_app.conf.task_default_queue)


def queue_of(task_name: str) -> str:
    """Where this Celery task is sent by the routes that are set."""
    found = current_app.amqp.router.route({}, task_name).get("queue")
    return str(found.name) if found else sync_queue()


def task_routes() -> Mapping[str, object]:
    """By names of tasks, or patterns of them; none where a project routes in another form."""
    found = current_app.conf.task_routes
    return found if isinstance(found, Mapping) else {}


def celery_command(program: str) -> str:
    """How one starts a ``worker`` or ``beat`` of this project."""
    return f"celery -A {current_app.main or 'PROJECT'} {program}"


def control_queue() -> str:
    """Where the monitor, the rules and the reports are sent; by default where syncs are."""
    return str(given("CELERY_CONTROL_QUEUE", "") or sync_queue())


@dataclass(frozen=True)
class MetricsConf:
    """Who may read the metrics: whoever has the token, or calls from one of the networks."""

    token: str
    networks: tuple[IPv4Network | IPv6Network, ...]


def metrics_conf() -> MetricsConf:
    return MetricsConf(token=own("METRICS_TOKEN", ""), networks=tuple(own("METRICS_NETWORKS", ())))


def pool_conf() -> PoolConf:
    return PoolConf(
        max_workers=given("MAX_SYNC_WORKERS", 2),
        lease_seconds=given("WORKER_POOL_LEASE_SECONDS", 90),
        stale_minutes=given("WORKER_POOL_STALE_MINUTES", 30),
        dispatch_seconds=given("WORKER_POOL_DISPATCH_SECONDS", 60),
        retention_minutes=given("WORKER_POOL_RETENTION_MINUTES", 60),
        max_attempts=given("WORKER_POOL_MAX_ATTEMPTS", 1),
        priority_aging_seconds=given("WORKER_POOL_PRIORITY_AGING_SECONDS", 3600),
        monitor_seconds=given("WORKER_POOL_MONITOR_SECONDS", 120 if is_production() else 300),
        worker_concurrency=given("CELERY_WORKER_CONCURRENCY", 12),
        cancel_ask_seconds=given("WORKER_POOL_CANCEL_ASK_SECONDS", 30),
        cancel_soft_seconds=given("WORKER_POOL_CANCEL_SOFT_SECONDS", 10),
        cancel_term_seconds=given("WORKER_POOL_CANCEL_TERM_SECONDS", 10),
        shutdown_seconds=given("WORKER_POOL_SHUTDOWN_SECONDS", 8),
        priority_function=given("WORKER_POOL_PRIORITY_FUNCTION", ""),
    )


def ledger_call_seconds() -> float:
    """No verb of the pool waits longer for the ledger's database."""
    return float(own("LEDGER_CALL_SECONDS", 4.5))


@dataclass(frozen=True)
class HistoryConf:
    """``retention_days`` 0: every run is kept."""

    retention_days: float


def history_conf() -> HistoryConf:
    return HistoryConf(retention_days=own("HISTORY_RETENTION_DAYS", 90))


@dataclass(frozen=True)
class AutomationConf:
    """``max_workers``: the highest limit that a rule may set. ``notice_urls``: where reports and
    open questions are told, as apprise writes it; they may hold secrets."""

    max_workers: int
    notice_urls: tuple[str, ...]


def automation_conf() -> AutomationConf:
    return AutomationConf(
        max_workers=own("AUTOMATION_MAX_WORKERS", 4),
        notice_urls=tuple(own("AUTOMATION_NOTICE_URLS", ())),
    )


@dataclass(frozen=True)
class BreakerConf:
    """``first_minutes``: for so long a CRM that keeps failing is left in peace at first; 0: never."""

    first_minutes: float


def breaker_conf() -> BreakerConf:
    return BreakerConf(first_minutes=own("SYNC_BREAKER_MINUTES", 15))


@dataclass(frozen=True)
class NoticeConf:
    """``channels``: name and apprise URL of each. All addresses may hold secrets."""

    channels: tuple[tuple[str, str], ...]
    webhook_urls: tuple[str, ...]
    webhook_secret: str
    ping_url: str


def notice_conf() -> NoticeConf:
    return NoticeConf(
        channels=tuple(own("NOTICE_CHANNELS", {}).items()),
        webhook_urls=tuple(own("TASK_WEBHOOK_URLS", ())),
        webhook_secret=own("TASK_WEBHOOK_SECRET", ""),
        ping_url=own("MONITOR_PING_URL", ""),
    )


@dataclass(frozen=True)
class TelemetryConf:
    """What other programs are told; nothing where both addresses are empty. ``traces_share`` of all
    tasks have a trace, 0 to 1."""

    traces_url: str
    traces_share: float
    sentry_dsn: str
    environment: str


def telemetry_conf() -> TelemetryConf:
    return TelemetryConf(
        traces_url=own("TRACES_URL", ""),
        traces_share=own("TRACES_SHARE", 1),
        sentry_dsn=own("SENTRY_DSN", ""),
        environment="production" if is_production() else "development",
    )


def site_url() -> str:
    """Where the pages are for whoever reads a notice, without a slash at the end; may be empty."""
    return str(own("SITE_URL", "")).rstrip("/")


@dataclass(frozen=True)
class ServersConf:
    """Where the servers are, as the operator wrote it."""

    cache_url: str
    broker_url: str
    result_url: str = ""


def servers_conf() -> ServersConf:
    return ServersConf(
        cache_url(),
        own("BROKER_URL", "") or broker_url(),
        own("RESULT_URL", ""),
    )


def warehouse_conf() -> WarehouseConf:
    return WarehouseConf(
        url=warehouse_url(),
        pipelines_dir=Path(own("WAREHOUSE_PIPELINES_DIR", var_dir() / "pipelines")),
        lock_wait_seconds=own("SYNC_LOCK_WAIT_SECONDS", 300),
        connections=own("SYNC_WAREHOUSE_CONNECTIONS", 2),
        list_keys_hours=own("SYNC_LIST_KEYS_HOURS", 24),
        rejected_records=own("SYNC_REJECTED_RECORDS", 50),
        rejected_percent=own("SYNC_REJECTED_PERCENT", 1),
        schema_policies=own("SYNC_SCHEMA_POLICY", {"": "evolve"}),
        http_timeout_seconds=own("SYNC_HTTP_TIMEOUT_SECONDS", 60),
        http_attempts=own("SYNC_HTTP_ATTEMPTS", 6),
        http_first_delay_seconds=own("SYNC_HTTP_FIRST_DELAY_SECONDS", 1),
    )


def crm_environment() -> Mapping[str, str]:
    """Base URLs and credentials of the CRMs by setting name."""
    found: Mapping[str, str] = own("CRM_ENVIRONMENT", os.environ)
    return found


def is_of_running_system(name: str) -> bool:
    """Whether a CRM's setting has its value from ``manage.py up``, and not from the operator."""
    found = environment()
    return name in found and not found.configured(name)


def secret_settings() -> tuple[str, ...]:
    """Values that must never be shown: Django's key, and URLs that may hold a password."""
    servers = servers_conf()
    found = (
        given("SECRET_KEY", ""),
        own("DATABASE_URL", ""),
        *(servers.cache_url, servers.broker_url, servers.result_url, warehouse_url()),
        *(own(name, "") for name in ("METRICS_TOKEN", "TASK_WEBHOOK_SECRET", "MONITOR_PING_URL")),
        *(own(name, "") for name in ("TRACES_URL", "SENTRY_DSN")),
    )
    return (
        *(str(value) for value in found if value),
        *own("AUTOMATION_NOTICE_URLS", ()),
        *own("NOTICE_CHANNELS", {}).values(),
        *own("TASK_WEBHOOK_URLS", ()),
    )
