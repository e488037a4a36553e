"""What would keep the system from running, all of it at once, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import sqlalchemy
from celery import current_app
from django.db import connection
from kombu.exceptions import OperationalError
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ingestion import private_files
from ingestion.installation_conf import SystemConf
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.failover.connections import other_installation
from ingestion.services.infra import sole_user
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.system import embedded_redis
from ingestion.services.system.crms import operators_crms
from ingestion.services.worker_pool import get_worker_pool
from ingestion.sync.common.registry import crms
from ingestion.warehouse_urls import SUPPORTED, folder_of, problem_of

CONNECT_SECONDS = 3
OF_COMPOSE = frozenset(
    {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
)  # docker-compose.yml reads them from .env


class WrongSettings(Exception):
    """The system cannot run with these settings; the message has a line for each problem."""


def check(conf: SystemConf) -> None:
    """Raises WrongSettings."""
    if found := [*_redis(conf), *_database(), *_warehouse(conf), *_credentials(conf)]:
        lines = "\n".join(f"  - {problem}" for problem in found)
        raise WrongSettings(f"The system cannot start like this:\n{lines}")


def needs_embedded_redis(conf: SystemConf) -> bool:
    return not (conf.configured("CACHE_URL") and conf.configured("CELERY_BROKER_URL"))


def unknown_names(conf: SystemConf) -> Iterator[str]:
    """Names in ``.env`` that nobody reads, with what was probably meant."""
    known = {
        *conf.setting_names,
        *OF_COMPOSE,
        *(s.name for crm in crms().values() for s in crm.settings),
    }
    for name in conf.dotenv_names:
        if not {name, name.removesuffix("_FILE")} & known:
            meant = get_close_matches(name, known, n=1)
            hint = f"; did you mean {meant[0]}?" if meant else "."
            yield f"{name} in .env is no setting of this system{hint}"


def _redis(conf: SystemConf) -> Iterator[str]:
    if needs_embedded_redis(conf):
        try:
            embedded_redis.server_binary()
        except embedded_redis.NoRedisServer as problem:
            yield str(problem)
    if conf.configured("CACHE_URL") and (said := other_installation()):
        yield said
    elif conf.configured("CACHE_URL") and not _cache_answers():
        yield "CACHE_URL: no Redis server answers there; start it, correct it, or take it out."
    if conf.configured("CELERY_BROKER_URL") and not _broker_answers(conf.broker_url):
        yield "CELERY_BROKER_URL: no broker answers there; start it, correct it, or take it out."


def _cache_answers() -> bool:
    try:
        get_worker_pool().peek()
    except PoolUnavailable:
        return False
    return True


def _broker_answers(url: str) -> bool:
    try:
        with current_app.connection_for_write(url, connect_timeout=CONNECT_SECONDS) as link:
            link.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
    except (OperationalError, OSError, ValueError, KeyError):
        return False
    return True


def _database() -> Iterator[str]:
    try:
        connection.ensure_connection()
    except DATABASE_ERRORS as problem:
        yield f"DATABASE_URL: the database cannot be opened: {_first_line(problem)}"
    if said := sole_user.claim():
        yield said


def _warehouse(conf: SystemConf) -> Iterator[str]:
    if problem := problem_of(conf.warehouse_url):
        yield problem
        return
    try:
        url = sqlalchemy.make_url(conf.warehouse_url)
    except (ArgumentError, ValueError):
        yield f"WAREHOUSE_URL is not a database URL; supported are {SUPPORTED}."
        return
    if folder := folder_of(conf.warehouse_url):
        yield from _folder(folder)
    elif url.get_backend_name().startswith("postgres"):
        yield from _postgres(url)


def _folder(folder: Path) -> Iterator[str]:
    try:
        private_files.make_folder(folder)
    except OSError as problem:
        yield f"WAREHOUSE_URL: the folder {folder} cannot be made: {problem.strerror}."


def _postgres(url: sqlalchemy.URL) -> Iterator[str]:
    engine = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    try:
        engine.connect().close()
    except SQLAlchemyError as problem:
        cause = getattr(problem, "orig", None) or problem
        yield f"WAREHOUSE_URL: the warehouse cannot be opened: {_first_line(cause)}"
    finally:
        engine.dispose()


def _credentials(conf: SystemConf) -> Iterator[str]:
    for crm in operators_crms(conf):
        missing = [s.name for s in crm.settings if s.required and not conf.configured(s.name)]
        if missing:
            yield (
                f"{crm.title} is configured in part: set {', '.join(missing)} as well, "
                "or none of its settings to use the sandbox."
            )


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().split("\n")[0]
