"""What people and their tools find at a table: its primary key, comments, an index of what is deleted,
and a view of the rows that are there. Made after loads, under the model's lock, so that no load takes
longer; a table of an earlier release gets them with its next load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestion.sync.common.names import DELETED_AT, MAX_IDENTIFIER_LENGTH
from ingestion.sync.load.tables.session import Row, Session
from ingestion.sync.load.tables.table import Table
from ingestion.sync.load.tables.views import without_views

_COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_KEY = (
    "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass(?) AND contype = 'p'),"
    " to_regclass(?) IS NOT NULL"
)
_WITHOUT_COMMENT = (
    "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass(?) AND a.attnum > 0"
    " AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL"
)


@dataclass(frozen=True)
class Readers:
    """``comments``: of columns, by name; ``about``: of the table. One that a person wrote stays."""

    session: Session
    table: Table
    keys: Sequence[str]
    schema: str
    about: str
    comments: Mapping[str, str]

    @property
    def _of(self) -> str:
        return self.session.table(self.table.model)

    @property
    def _view_name(self) -> str:
        return f"{self.table.model[: MAX_IDENTIFIER_LENGTH - 8]}_current"

    def make(self) -> None:
        """What is missing; nothing waits for somebody who reads the table for long."""
        if DELETED_AT not in self.table.found:
            return
        is_sqlite = self.session.dialect == "sqlite"
        with self.session.transaction():
            if not is_sqlite:
                self.session.execute("SET LOCAL lock_timeout = '2s'")
            self._index()
            if is_sqlite:
                self._view_of_sqlite()
                return
            self._primary_key()
            self._comment()
            self._view_of_postgres()

    def _index(self) -> None:
        """Only of the deleted ones, which are few: to look for the others it would be of no use."""
        name = self.session.quote(
            f"ix_{self.table.model}"[: MAX_IDENTIFIER_LENGTH - 8] + "_deleted"
        )
        of = self._of
        if self.session.dialect == "sqlite":
            name, of = f"main.{name}", self.session.quote(self.table.model)
        self.session.execute(
            f"CREATE INDEX IF NOT EXISTS {name} ON {of} ({DELETED_AT})"
            f" WHERE {DELETED_AT} IS NOT NULL"
        )

    def _view_of_sqlite(self) -> None:
        """Its star follows the table."""
        self.session.execute(
            f"CREATE VIEW IF NOT EXISTS {self.session.table(self._view_name)} AS SELECT * FROM"
            f" {self.session.quote(self.table.model)} WHERE {DELETED_AT} IS NULL"
        )

    def _primary_key(self) -> None:
        """Made of the unique index, which keeps its name."""
        index = self.session.quote(self.table.index_name)
        place = self._of.rpartition(".")[0]
        ((is_there, has_index),) = self.session.rows(_KEY, (self._of, f"{place}.{index}"))
        if is_there or not has_index:
            return
        keyless = " OR ".join(f"{self.session.quote(name)} IS NULL" for name in self.keys)
        if not self.session.rows(f"SELECT 1 FROM {self._of} WHERE {keyless} LIMIT 1"):
            self.session.execute(
                f"ALTER TABLE {self._of} ADD CONSTRAINT {index} PRIMARY KEY USING INDEX {index}"
            )

    def _comment(self) -> None:
        for (name,) in self.session.rows(_WITHOUT_COMMENT, (self._of,)):
            if comment := self.comments.get(name):
                column = f"{self._of}.{self.session.quote(name)}"
                self.session.execute(f"COMMENT ON COLUMN {column} IS {_literal(comment)}")
        has_none = "SELECT obj_description(to_regclass(?), 'pg_class') IS NULL"
        if self.session.rows(has_none, (self._of,))[0][0]:
            self.session.execute(f"COMMENT ON TABLE {self._of} IS {_literal(self.about)}")

    def _view_of_postgres(self) -> None:
        schema = self.session.quote(self.schema)
        view = f"{schema}.{self.session.quote(self._view_name)}"
        wanted = self._columns(self._of)
        found = self._columns(view)
        if found == wanted:
            return
        self.session.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        names = ", ".join(self.session.quote(name) for name, _ in wanted)
        query = f"SELECT {names} FROM {self._of} WHERE {DELETED_AT} IS NULL"
        if found == wanted[: len(found)]:
            self.session.execute(f"CREATE OR REPLACE VIEW {view} AS {query}")
            return
        # A column has gone, or has another type: the views that people have put on it come back.
        with without_views(self.session, view):
            self.session.execute(f"DROP VIEW {view}")
            self.session.execute(f"CREATE VIEW {view} AS {query}")

    def _columns(self, relation: str) -> list[Row]:
        return self.session.rows(_COLUMNS, (relation,))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
