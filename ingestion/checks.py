"""System checks: wrong settings with their cure, routes without a task, command or credentials."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from celery import current_app
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.management import get_commands
from django.db import DEFAULT_DB_ALIAS, router
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from ingestion import redis_urls
from ingestion.conf import (
    PoolConf,
    ServersConf,
    WarehouseConf,
    crm_environment,
    pool_conf,
    servers_conf,
    task_routes,
    telemetry_conf,
    warehouse_conf,
)
from ingestion.installation_conf import secret_files
from ingestion.models import SyncHistory, SyncSchedule
from ingestion.pool.controls import MAX_WORKERS_MAX, MAX_WORKERS_MIN
from ingestion.private_files import open_to_others
from ingestion.services.failover.connections import other_installation, pickled_legacy
from ingestion.services.infra import redis_cache
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.requests.routing import routes, task_name
from ingestion.services.scheduling import load as schedule_load
from ingestion.services.telemetry import start as telemetry
from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.common.registry import crm_settings, crms
from ingestion.warehouse_urls import problem_of

TAG = "worker_pool"
SYNCS = "ingestion.tasks.sync_"
RECOMMENDED_WORKERS = 10
# Beat's own tasks need a process beside the syncs'.
SPARE_PROCESSES = 1
KINDS = {
    "standalone": "one Redis server",
    "cluster": "a node of a Redis cluster",
    "sentinel": "a Sentinel of Redis",
}


@register(TAG)
def check_pool_settings(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    return list(pool_problems(pool_conf()))


@register(TAG)
def check_warehouse_settings(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    return list(warehouse_problems(warehouse_conf()))


@register(TAG)
def check_routes(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    return [*_routes_without_command(), *_routes_without_task(), *_queues_without_sync()]


@register(TAG, deploy=True)
def check_credentials(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """Only with ``check --deploy`` and at a worker's start: a newcomer has no CRM yet."""
    return list(_crms_without_credentials())


@register(Tags.caches)
def check_old_state(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """Looks into Redis, and says nothing where that is away: the pool does."""
    if not (names := pickled_legacy()):
        return []
    return [
        Warning(
            f"Redis holds state of an older version that is pickled and is not read: {', '.join(names)}.",
            hint="If this pool wrote it, run: manage.py manage_worker_pool import-old-state",
            id="ingestion.W007",
        )
    ]


@register(Tags.caches)
def check_installation(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """Not an error: that would keep the cure from running, too."""
    if not (said := other_installation()):
        return []
    sentence, cure = said.split(": ", 1)
    return [Warning(f"{sentence}.", hint=cure, id="ingestion.W009")]


@register(Tags.urls)
def check_urls(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """A project may leave the pages out."""
    try:
        home = reverse("home")
    except NoReverseMatch:
        return []
    if home == "/":
        return []
    return [
        Error(
            f"The pages are included at {home}, and their scripts call /api/.",
            hint='Include them at the root: path("", include("ingestion.urls")).',
            id="ingestion.E010",
        )
    ]


@register(TAG)
def check_ledger(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    alias = router.db_for_write(SyncHistory)
    if alias == DEFAULT_DB_ALIAS:
        return []
    return [
        Error(
            f"A router sends the ledger to the database {alias!r}; its statements go to 'default'.",
            hint="Leave the app ingestion in the database 'default'.",
            id="ingestion.E011",
        )
    ]


@register(Tags.files)
def check_files(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """What this project makes is its owner's alone; what it finds may not be."""
    if not (found := open_to_others(secret_files())):
        return []
    return [
        Warning(
            f"Others than their owner may read {_some([str(path) for path in found])}.",
            hint=f"Run: chmod go= {shlex.join(str(path) for path in found[:5])}",
            id="ingestion.W008",
        )
    ]


@register(Tags.caches)
def check_servers(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """Asks the servers, and says nothing where they are away: the pool does."""
    return list(server_problems(servers_conf()))


@register(Tags.database)
def check_schedules(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """Only with ``check --database default``: the schedules stand in the database."""
    if not databases:
        return []
    try:
        planned = schedule_load.plan(SyncSchedule.objects.all())
    except DATABASE_ERRORS:
        return []  # before the first migration
    found = schedule_load.findings(planned, max_workers=pool_conf().max_workers)
    return [
        Warning(finding.sentence, hint="See: manage.py manage_schedules check", id="ingestion.W006")
        for finding in found
    ]


def pool_problems(conf: PoolConf) -> Iterator[CheckMessage]:
    yield from _limit_problems(conf)
    yield from _clock_problems(conf)
    yield from _priority_problems(conf.priority_function)


def _priority_problems(path: str) -> Iterator[CheckMessage]:
    """A function of the project that decides priorities, and is not there."""
    try:
        problem = "" if not path or callable(import_string(path)) else "It is no function."
    except ImportError as missing:
        problem = str(missing)
    if problem:
        yield Error(
            f"WORKER_POOL_PRIORITY_FUNCTION is {path!r}. {problem}",
            hint="Set the dotted path of a function such as 'my_project.priorities.priority_of', "
            "which gets a Submission and returns a whole number, or nothing.",
            id="ingestion.E009",
        )


@register(TAG)
def check_telemetry(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    found = telemetry.problems(telemetry_conf())
    return [Error(problem, hint=hint, id="ingestion.E013") for problem, hint in found]


def server_problems(conf: ServersConf) -> Iterator[CheckMessage]:
    """URLs that lead to a server of another kind than they say, which cannot work."""
    for name, urls, hint in (
        ("CACHE_URL", conf.cache_url, redis_urls.FORMS_OF_CACHE),
        ("CELERY_BROKER_URL", conf.broker_url, redis_urls.FORMS_OF_CELERY),
        ("CELERY_RESULT_BACKEND", conf.result_url, redis_urls.FORMS_OF_CELERY),
    ):
        for url in urls.split(";"):
            if why := _misled(url):
                yield Error(f"{name} leads to {why}.", hint=f"Set {hint}.", id="ingestion.E007")


def _misled(url: str) -> str:
    """What stands there in place of what the URL says; empty where that is right, or away."""
    servers = redis_urls.parse(url)
    if servers is None:
        found = redis_cache.mode(url) if redis_urls.is_one_server(url) else ""
        return "" if found == "standalone" else KINDS.get(found, "")
    found = next(filter(None, map(redis_cache.mode, servers.each_url)), "")
    if found not in {"", servers.kind}:
        return KINDS.get(found, "")
    if servers.kind == "cluster":
        return ""
    known = next(filter(None, map(redis_cache.masters, servers.each_url)), frozenset())
    if not known or servers.master in known:
        return ""
    return f"Sentinels that do not know {servers.master!r}, but {_some(sorted(known))}"


def warehouse_problems(conf: WarehouseConf) -> Iterator[CheckMessage]:
    if problem := problem_of(conf.url):
        yield Error(problem, id="ingestion.E008")
    if conf.rejected_records < 1:
        yield Error(
            f"SYNC_REJECTED_RECORDS is {conf.rejected_records}.",
            hint="Set 1 or more: a run with fewer bad records never fails for them.",
            id="ingestion.E005",
        )
    if not 0 <= conf.rejected_percent <= 100:
        yield Error(
            f"SYNC_REJECTED_PERCENT is {conf.rejected_percent:g}.",
            hint="Set 0 to 100: a run fails with more bad records than this share of all.",
            id="ingestion.E005",
        )
    if unknown := sorted(conf.schema_policies.keys() - crms().keys() - {""}):
        yield Error(
            f"SYNC_SCHEMA_POLICY names {_some(unknown)}, which is no CRM.",
            hint=f"Write one policy for all and others as CRM:POLICY; CRMs are {', '.join(crms())}.",
            id="ingestion.E006",
        )


def _limit_problems(conf: PoolConf) -> Iterator[CheckMessage]:
    if not MAX_WORKERS_MIN <= conf.max_workers <= MAX_WORKERS_MAX:
        yield Error(
            f"MAX_SYNC_WORKERS is {conf.max_workers}.",
            hint=f"Set a whole number from {MAX_WORKERS_MIN} to {MAX_WORKERS_MAX}; 1 to "
            f"{RECOMMENDED_WORKERS} are recommended.",
            id="ingestion.E001",
        )
    elif conf.max_workers > RECOMMENDED_WORKERS:
        yield Warning(
            f"MAX_SYNC_WORKERS is {conf.max_workers}.",
            hint="1 to 10 are recommended: CRMs limit how many requests they take.",
            id="ingestion.W001",
        )
    if conf.worker_concurrency < conf.max_workers + SPARE_PROCESSES:
        yield Warning(
            f"CELERY_WORKER_CONCURRENCY is {conf.worker_concurrency}, MAX_SYNC_WORKERS is "
            f"{conf.max_workers}: syncs can take every process, and the monitor then waits.",
            hint=f"Set CELERY_WORKER_CONCURRENCY to {conf.max_workers + SPARE_PROCESSES} or more, "
            "or run several workers.",
            id="ingestion.W002",
        )
    if conf.max_attempts < 1:
        yield Error(
            f"WORKER_POOL_MAX_ATTEMPTS is {conf.max_attempts}.",
            hint="Set 1 (no second attempt) or more.",
            id="ingestion.E002",
        )


def _clock_problems(conf: PoolConf) -> Iterator[CheckMessage]:
    smallest = {
        "WORKER_POOL_LEASE_SECONDS": (conf.lease_seconds, 1.0),
        "WORKER_POOL_DISPATCH_SECONDS": (conf.dispatch_seconds, 1.0),
        "WORKER_POOL_MONITOR_SECONDS": (conf.monitor_seconds, 1.0),
        "WORKER_POOL_STALE_MINUTES": (conf.stale_minutes, 0.01),
        "WORKER_POOL_RETENTION_MINUTES": (conf.retention_minutes, 1.0),
        "WORKER_POOL_PRIORITY_AGING_SECONDS": (conf.priority_aging_seconds, 0.0),
    }
    for name, (value, least) in smallest.items():
        if not least <= value < 10**9:
            yield Error(
                f"{name} is {value:g}.", hint=f"Set {least:g} or more.", id="ingestion.E003"
            )
    if conf.stale_minutes * 60 < conf.lease_seconds:
        yield Warning(
            "WORKER_POOL_STALE_MINUTES is shorter than WORKER_POOL_LEASE_SECONDS: syncs end as "
            "stale before a lost worker is noticed.",
            hint="Set it well above the longest pause that a sync makes, 30 by default.",
            id="ingestion.W003",
        )


def _routes_without_command() -> Iterator[CheckMessage]:
    if missing := sorted(set(routes().values()) - get_commands().keys()):
        # Not an error: that would keep the cure from running, too.
        yield Warning(
            f"Routes without a command, whose syncs fail: {_some(missing)}.",
            hint="Run: manage.py makecommands",
            id="ingestion.W005",
        )


def _routes_without_task() -> Iterator[CheckMessage]:
    if missing := sorted({task_name(*route) for route in routes()} - current_app.tasks.keys()):
        yield Error(
            f"Routes without a registered Celery task: {_some(missing)}.",
            hint="ingestion.tasks_enhanced must be imported; is 'ingestion' in INSTALLED_APPS?",
            id="ingestion.E004",
        )


def _queues_without_sync() -> Iterator[CheckMessage]:
    """A queue is set for syncs that do not exist: a name that was not written right."""
    syncs = [task_name(*route) for route in routes()]
    wanted = [name for name in task_routes() if name.startswith(SYNCS)]
    if unused := [name for name in wanted if not fnmatch.filter(syncs, name)]:
        yield Error(
            f"A queue is set for syncs that do not exist: {_some(unused)}.",
            hint="Write CELERY_SYNC_QUEUES as CRM:QUEUE or CRM.TYPE:QUEUE; CRMs are "
            f"{', '.join(crms())}.",
            id="ingestion.E012",
        )


def _some(names: Sequence[str], *, shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _crms_without_credentials() -> Iterator[CheckMessage]:
    environment = crm_environment()
    for name in (crm.name for crm in crms().values() if crm.connected):
        try:
            crm_settings(name, environment)
        except CredentialsError as missing:
            yield Warning(str(missing), hint="Its syncs fail until then.", id="ingestion.W004")
