"""What Redis and PostgreSQL must be set to, so that nothing is lost; asked of the servers themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, Warning
from django.db import connection

from ingestion.conf import ServersConf, pool_conf, servers_conf, warehouse_conf
from ingestion.services.infra import redis_cache, sole_user
from ingestion.services.infra.database import DATABASE_ERRORS, ledger_now
from ingestion.services.infra.redis_cache import ServerFacts

CLOCK_SECONDS = 5.0
LEAST_POSTGRESQL = 140000
# Connections of the web server's threads, beat and commands, beside those of the workers.
OTHER_CONNECTIONS = 15
LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
# A setting, what it must be, and what happens otherwise.
DURABLE = {
    "fsync": ("on", "a power cut destroys the database"),
    "full_page_writes": ("on", "a power cut destroys the database"),
    "server_encoding": ("UTF8", "texts of the CRMs cannot be stored"),
}


def redis_problems() -> list[CheckMessage]:
    """Of the pool's Redis, and of the broker where that is one."""
    conf = servers_conf()
    asked = {"CACHE_URL": conf.cache_url, "CELERY_BROKER_URL": conf.broker_url}
    found: list[CheckMessage] = list(_shared(conf))
    for name, url in asked.items():
        for server in redis_cache.facts(url):
            found += _redis(name, url, server)
    return found


def _shared(conf: ServersConf) -> Iterator[CheckMessage]:
    if conf.cache_url.rstrip("/") == conf.broker_url.rstrip("/"):
        yield Error(
            "CACHE_URL and CELERY_BROKER_URL are the same Redis database: clearing the cache "
            "deletes the messages.",
            hint="Give them different database numbers, e.g. /1 and /0.",
            id="ingestion.E030",
        )


def _redis(name: str, url: str, server: ServerFacts) -> Iterator[CheckMessage]:
    if not server.answers:
        yield Error(
            f"{name}: no server answers there, or it refuses the password.",
            hint=f"Start it, or correct {name}.",
            id="ingestion.E031",
        )
        return
    if server.evicts:
        yield Error(
            f"{name}: Redis throws keys out when its memory is full ({server.policy}).",
            hint="Set maxmemory-policy noeviction in its configuration.",
            id="ingestion.E032",
        )
    if not server.is_persistent:
        yield Warning(
            f"{name}: Redis keeps nothing over a restart; the pool is then rebuilt from the ledger.",
            hint="Set appendonly yes in its configuration.",
            id="ingestion.W030",
        )
    if not server.has_password and urlsplit(url).hostname not in LOCAL:
        yield Warning(
            f"{name}: Redis asks for no password, and whoever reaches it can change everything.",
            hint=f"Set requirepass there, and redis://:PASSWORD@HOST in {name}.",
            id="ingestion.W031",
        )
    yield from _clock(f"{name}: the clock of Redis", server.clock)


def _clock(whose: str, found: datetime) -> Iterator[CheckMessage]:
    apart = abs((datetime.now(UTC) - found).total_seconds())
    if apart > CLOCK_SECONDS:
        yield Warning(
            f"{whose} and of this machine are {apart:.0f} seconds apart.",
            hint="Let NTP set the clocks of all machines (systemd-timesyncd or chrony).",
            id="ingestion.W032",
        )


def database_problems() -> list[CheckMessage]:
    """Of the ledger's database; says nothing where it is away, which others report."""
    if connection.vendor != "postgresql":
        return [
            *_other_user(),
            Warning(
                "The ledger is a SQLite file: everything must stay on this one machine.",
                hint="Set DATABASE_URL to a PostgreSQL for more than one.",
                id="ingestion.W033",
            ),
        ]
    try:
        return list(_postgresql())
    except DATABASE_ERRORS:
        return []
    finally:
        connection.close()


def _other_user() -> Iterator[CheckMessage]:
    if said := sole_user.claim():
        sentence, cure = said.split(": ", 1)
        yield Error(f"{sentence}.", hint=cure, id="ingestion.E035")


def _postgresql() -> Iterator[CheckMessage]:
    for name, (wanted, otherwise) in DURABLE.items():
        if (value := _shown(name)) != wanted:
            yield Error(
                f"PostgreSQL: {name} is {value}: {otherwise}.",
                hint=f"Set {name} to {wanted} (server_encoding: at initdb or createdb).",
                id="ingestion.E033",
            )
    if _shown("synchronous_commit") == "off":
        yield Warning(
            "PostgreSQL: synchronous_commit is off: a crash loses what was accepted just before.",
            hint="Set synchronous_commit to on.",
            id="ingestion.W034",
        )
    if int(_shown("server_version_num")) < LEAST_POSTGRESQL:
        yield Error(
            f"PostgreSQL is too old: {_shown('server_version')}.",
            hint="Use 14 or newer.",
            id="ingestion.E034",
        )
    yield from _connections()
    yield from _encryption()
    yield from _clock("The clock of PostgreSQL", ledger_now())


def _connections() -> Iterator[CheckMessage]:
    conf = pool_conf()
    needed = (
        conf.worker_concurrency + conf.max_workers * warehouse_conf().connections
    ) + OTHER_CONNECTIONS
    allowed = int(_shown("max_connections")) - int(_shown("superuser_reserved_connections"))
    if allowed < needed:
        yield Warning(
            f"PostgreSQL takes {allowed} connections; one web process and one worker may need "
            f"{needed}.",
            hint="Raise max_connections, or put pgbouncer before it.",
            id="ingestion.W035",
        )


def _encryption() -> Iterator[CheckMessage]:
    if connection.settings_dict.get("HOST") in LOCAL:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        found = cursor.fetchone()
    if found and not found[0]:
        yield Warning(
            "The connection to PostgreSQL on another host is not encrypted.",
            hint="Add ?sslmode=require to DATABASE_URL, and to WAREHOUSE_URL.",
            id="ingestion.W036",
        )


def _shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])
