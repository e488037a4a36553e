"""Answers a question about one CRM's SQLite file, of which the query sees masked views alone.

The authorizer that SQLite offers is not enough by itself: it is not asked about the columns that a
NATURAL JOIN or USING compares, so that ``… NATURAL JOIN (SELECT 'a@b.c' AS email)`` would tell the
values of a forbidden column one by one. Therefore the query reads temporary views that do not name
the masked columns at all, and cannot name the tables behind them: the file is attached under a name
that is made for this query, and every table of it that is no dataset is covered by an empty view. The
authorizer refuses the rest: to write, to attach, PRAGMA, functions that are not listed.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingestion.services.data.errors import UnknownDataset, WarehouseAway
from ingestion.services.data.sql.answer import Answer, Bounds, RefusedQuery, readable
from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.source import Crm
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.columns.types import of_sqlite

STEPS: Final = 1_000
BUSY_SECONDS: Final = 5.0
_FUNCTIONS: Final = (
    "abs avg ceil ceiling changes char coalesce concat concat_ws count cume_dist current_date"
    " current_time current_timestamp date datetime dense_rank exp first_value floor format"
    " group_concat hex ifnull iif instr json json_array json_array_length json_extract json_group_array"
    " json_group_object json_object json_type json_valid -> ->> julianday lag last_value lead length"
    " like glob ln log log10 log2 lower ltrim max min mod nth_value ntile nullif percent_rank pow power"
    " printf quote random rank replace round row_number rtrim sign sqrt strftime string_agg substr"
    " substring sum time timediff total trim trunc typeof unicode unixepoch upper"
)
FUNCTIONS: Final = frozenset(_FUNCTIONS.split())
_READS: Final = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,  # our own views name every column
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


def answer(warehouse: Warehouse, found: Crm, sql: str, bounds: Bounds, *, personal: bool) -> Answer:
    """Raises RefusedQuery, UnknownDataset and WarehouseAway."""
    if re.search("sqlite_|dbstat", sql, re.IGNORECASE):
        raise RefusedQuery("The tables of SQLite itself cannot be asked.")
    path = Path(str(warehouse.dataset(found.name).engine.url.database))
    if not path.exists():
        raise UnknownDataset(f"No run has loaded anything of {found.name} yet.")
    try:
        with closing(sqlite3.connect(":memory:", isolation_level=None, uri=True)) as connection:
            box = _Box(connection, found, personal=personal)
            box.open(path)
            return box.answer(sql, bounds)
    except (OSError, sqlite3.OperationalError) as problem:
        raise WarehouseAway("The warehouse cannot be read now.") from problem


@dataclass
class _Box:
    connection: sqlite3.Connection
    found: Crm
    personal: bool
    # Nobody who writes the query can know it.
    secret: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")
    # Views that the query may read, and by table the columns that the views read.
    views: set[str] = field(default_factory=set)
    columns: dict[str, set[str]] = field(default_factory=dict)

    def open(self, path: Path) -> None:
        """Attach the file, and put views before all that it has."""
        run = self.connection.execute
        run(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        run("PRAGMA temp_store = FILE")
        run("PRAGMA trusted_schema = OFF")
        run(f"ATTACH ? AS {self.secret}", (f"{path.as_uri()}?mode=ro",))
        # From here on the file is seen as it is now, whatever a load changes meanwhile.
        run("BEGIN")
        models = {model.name for model in self.found.models}
        listed = (
            f"SELECT name, type FROM {self.secret}.sqlite_schema WHERE type IN ('table', 'view')"
        )
        there = dict(run(listed).fetchall())
        for name in models & {name for name, kind in there.items() if kind == "table"}:
            self._show(name)
        for name in there:
            if not name.startswith("sqlite_"):
                self._cover(name)
        for limit, value in LIMITS.items():
            self.connection.setlimit(limit, value)
        self.connection.set_authorizer(self._authorize)

    def _show(self, table: str) -> None:
        declared = self.connection.execute(
            f"SELECT name, type FROM pragma_table_info(?, '{self.secret}')", (table,)
        ).fetchall()
        types = {name: of_sqlite(kind) for name, kind in declared}
        may_read = readable(self.found.name, table, types, personal=self.personal)
        values = ", ".join(
            _quote(name) if is_read else f"NULL AS {_quote(name)}"
            for name, is_read in may_read.items()
        )
        self.columns[table] = {name for name, is_read in may_read.items() if is_read}
        inner = f"{self.secret}_{table}"
        self._make_view(inner, f"SELECT {values} FROM {self.secret}.{_quote(table)}")
        self._make_view(table, f"SELECT * FROM {_quote(inner)}")
        if may_read.get(DELETED_AT):
            living = f"SELECT * FROM {_quote(inner)} WHERE {DELETED_AT} IS NULL"
            self._make_view(f"{table}_current", living)

    def _cover(self, name: str) -> None:
        """A view or a table that no model has: whoever names it finds nothing."""
        if name not in self.views:
            self._make_view(name, "SELECT NULL AS empty WHERE 0")

    def _make_view(self, name: str, query: str) -> None:
        if name not in self.views:
            self.connection.execute(f"CREATE TEMP VIEW {_quote(name)} AS {query}")
            self.views.add(name)

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        within: str | None,
    ) -> int:
        """``within``: the view that reads. A query can call a subquery by any name but one that it
        does not know."""
        if action in _READS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            is_known = (second or "").lower() in FUNCTIONS
            return sqlite3.SQLITE_OK if is_known else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ and self._may_read(first, second, database, within):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _may_read(
        self, table: str | None, column: str | None, database: str | None, within: str | None
    ) -> bool:
        """Without a column it is about rows alone, as count(*) reads them; without a database, those of
        a subquery."""
        if database == "temp":
            return table in self.views
        if not column:
            return database is None or (database == self.secret and table in self.columns)
        is_view = database == self.secret and within == f"{self.secret}_{table}"
        return is_view and column in self.columns.get(table or "", ())

    def answer(self, sql: str, bounds: Bounds) -> Answer:
        with self._stopped_after(bounds):
            cursor = self.connection.execute(sql)
            found = Answer([column[0] for column in cursor.description or ()])
            for row in cursor:
                if not found.add(row, bounds):
                    break
            return found

    @contextmanager
    def _stopped_after(self, bounds: Bounds) -> Iterator[None]:
        ends_at = time.monotonic() + bounds.seconds
        self.connection.set_progress_handler(lambda: time.monotonic() >= ends_at, STEPS)
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as problem:
            if "interrupted" in str(problem):
                raise RefusedQuery(bounds.sentence) from problem
            raise RefusedQuery(self._sentence(problem)) from problem

    def _sentence(self, problem: Exception) -> str:
        """In the words of SQLite, without the names that are made for one query."""
        text = re.sub(rf"{self.secret}[._]?", "", str(problem))
        return f"{text[:500]}."


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
