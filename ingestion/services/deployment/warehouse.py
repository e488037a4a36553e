"""Whether the warehouse's server answers, and is one that rows are loaded into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from django.core.checks import CheckMessage, Error

from ingestion.conf import warehouse_conf
from ingestion.sync.common.warehouse import Warehouse
from ingestion.warehouse_urls import (
    SUPPORTED,
    folder_of,
    is_delta,
    problem_of,
    problem_of_version,
)

ANSWER_SECONDS = 5


def warehouse_problems() -> Iterator[CheckMessage]:
    """Of a server; says nothing of files, nor of a URL that the system checks refuse."""
    url = warehouse_conf().url
    if problem_of(url) or folder_of(url) or is_delta(url):
        return
    with closing(Warehouse(url)) as warehouse:
        version = _version(warehouse)
    if version is None:
        yield Error(
            "WAREHOUSE_URL: no server answers there, or it refuses the user or the password.",
            hint="Start it, or correct WAREHOUSE_URL.",
            id="ingestion.E036",
        )
    elif warehouse.is_mariadb and (problem := problem_of_version(version)):
        yield Error(problem, hint=f"Name one of {SUPPORTED}.", id="ingestion.E037")


def _version(warehouse: Warehouse) -> str | None:
    """What the server says of itself; None where it does not answer within ANSWER_SECONDS."""
    dialect = warehouse.main_engine.dialect
    bounds = {"connect_timeout": ANSWER_SECONDS}
    if warehouse.is_mariadb:
        # Its drivers wait without end for a server that takes a call and is silent.
        bounds["read_timeout"] = ANSWER_SECONDS
    words, named = dialect.create_connect_args(warehouse.url)
    try:
        with closing(dialect.connect(*words, **{**named, **bounds})) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT version()")
            ((version,),) = cursor.fetchall()
            return str(version)
    except dialect.loaded_dbapi.Error:
        return None
