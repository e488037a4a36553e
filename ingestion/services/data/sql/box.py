"""The SQL box: one question, one answer, one audit record."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ingestion.conf import data_conf, warehouse_conf
from ingestion.pool.change import ChangeRequest
from ingestion.services.data.errors import InvalidQuestion, UnknownDataset, WarehouseAway
from ingestion.services.data.sql.answer import Answer, Bounds, NoBox, RefusedQuery
from ingestion.services.security import audit
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.registry import crm

if TYPE_CHECKING:
    from ingestion.sync.common.source import Crm
    from ingestion.sync.common.warehouse import Warehouse

LONGEST_QUERY: Final = 20_000
KEPT_QUERY: Final = 4_000
# Each holds a thread and a connection.
AT_ONCE: Final = 2

_COMMENT: Final = re.compile(r"\s+|--[^\n]*(\n|$)|/\*.*?\*/", re.DOTALL)
# Values in a query: texts, long numbers, comments, and names that are none, which SQLite takes as texts.
_VALUE: Final = re.compile(
    r"""[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*('|$)|\$(\w*)\$.*?(\$\2\$|$)|"(?!\w+")[^"]*("|$)"""
    r"|\d{4,}|--[^\n]*|/\*.*?(\*/|$)",
    re.DOTALL,
)
_asking = threading.BoundedSemaphore(AT_ONCE)


class TooManyQueries(RefusedQuery):
    """Others are asking; try again when one of them has its answer."""

    code = "BUSY"


@dataclass(frozen=True)
class Query:
    """``crm_source``: whose tables have their plain names. ``personal``: whether the asker may see
    personal data."""

    crm_source: str
    sql: str
    personal: bool = False


def ask(query: Query, *, change: ChangeRequest) -> Answer:
    """Raises UnknownDataset, RefusedQuery, NoBox and WarehouseAway; every question is recorded, also
    one that failed."""
    started = time.monotonic()
    outcome: dict[str, Any] = {}
    try:
        with _one_of_few():
            answer = _answer(query)
        outcome = {"rows": len(answer.rows), "is_cut": answer.is_cut}
        return answer
    except (InvalidQuestion, UnknownDataset, WarehouseAway) as problem:
        outcome = {"error": problem.code}
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        asked = {"sql": _recorded(query)[:KEPT_QUERY], "personal": query.personal}
        audit.record(
            "query",
            change=change,
            target=query.crm_source,
            after={**asked, **outcome, "seconds": seconds},
        )


def _recorded(query: Query) -> str:
    """What the audit keeps. Whoever sees personal data writes some into a query; more people read the
    audit."""
    return _VALUE.sub("'…'", query.sql) if query.personal else query.sql


def is_there() -> bool:
    """Whether this warehouse has a box."""
    return warehouse_conf().url.startswith(("sqlite", "postgres"))


def _answer(query: Query) -> Answer:
    from ingestion.sync.common.warehouse import Warehouse

    found = _known(query.crm_source)
    sql = _checked(query.sql)
    conf = data_conf()
    bounds = Bounds(conf.sql_seconds, conf.sql_rows)
    try:
        with closing(Warehouse(warehouse_conf().url)) as warehouse:
            return _of_warehouse(warehouse, found, sql, bounds, personal=query.personal)
    except SyncError as problem:
        raise WarehouseAway("The warehouse cannot be read now.") from problem


def _of_warehouse(
    warehouse: Warehouse, found: Crm, sql: str, bounds: Bounds, *, personal: bool
) -> Answer:
    from ingestion.services.data.sql import postgres_box, sqlite_box

    if warehouse.is_sqlite:
        return sqlite_box.answer(warehouse, found, sql, bounds, personal=personal)
    if warehouse.is_postgres:
        return postgres_box.answer(warehouse, found, sql, bounds, personal=personal)
    raise NoBox(
        "Only warehouses of SQLite and PostgreSQL can be asked in SQL here: no other keeps masked"
        " columns from a query."
    )


def _known(crm_source: str) -> Crm:
    try:
        return crm(crm_source)
    except LookupError as unknown:
        raise UnknownDataset(f"{unknown.args[0]}.") from unknown


def _checked(sql: str) -> str:
    """Without a semicolon at its end. Raises RefusedQuery for what surely is no question."""
    text = sql.strip().rstrip(";").rstrip()
    if len(text) > LONGEST_QUERY or "\x00" in text:
        raise RefusedQuery(f"A query has at most {LONGEST_QUERY} characters, and no NUL.")
    start = 0
    while found := _COMMENT.match(text, start):
        start = found.end()
    word = re.match(r"\w+", text[start:])
    if text[start : start + 1] != "(" and (
        word is None or word[0].upper() not in ("SELECT", "WITH", "VALUES")
    ):
        raise RefusedQuery("Only questions are answered: begin with SELECT, WITH or VALUES.")
    return text


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _asking.acquire(blocking=False):
        raise TooManyQueries()
    try:
        yield
    finally:
        _asking.release()
