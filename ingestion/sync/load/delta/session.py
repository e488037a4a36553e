"""A warehouse of Delta tables. A run works on a copy of its model's table in a DuckDB file of its own,
which ends with it, and what a transaction has changed there is committed to Delta's tables.

Each table is a commit of its own. Their order makes a run that dies between two of them harmless: first
the map of columns, which the next run makes good, last the watermark, without which it reads again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingestion.sync.common.files import delta_tables
from ingestion.sync.common.files.delta_tables import Commits, quoted
from ingestion.sync.common.names import RUN_ID
from ingestion.sync.common.warehouse import Warehouse, delta_errors
from ingestion.sync.load.tables import own_tables
from ingestion.sync.load.tables.duckdb import DATASET, DuckdbSession
from ingestion.sync.load.tables.session import Row

if TYPE_CHECKING:
    from deltalake import DeltaTable

BATCH_ROWS: Final = 10_000
MODEL: Final = "model"
_CHANGE: Final = re.compile(rf'(?:INSERT INTO|UPDATE|DELETE FROM) {DATASET}\."([^"]+)"')


class DeltaSession(DuckdbSession):
    """Keeps the Session contract. The rows of a table are copied when the first statement needs
    them."""

    def __init__(
        self, warehouse: Warehouse, crm: str, model: str, *, is_dry: bool, run_id: str
    ) -> None:
        self._begin(f"{crm}.{model}", is_dry=is_dry)
        self._may_read = self._may_write = True
        self._model, self._run_id = model, run_id
        self._folder = delta_tables.Folder(warehouse.delta_url(crm))
        self._commits = Commits({"run_id": run_id, "model": model})
        self._changed: set[str] = set()
        self._is_rewritten = self._is_filled = False
        self._keys: Sequence[str] = ()
        copy = str(Path(self._spilled) / "copy.duckdb").replace("'", "''")
        self._connection.execute(f"ATTACH '{copy}' AS {DATASET}")
        with delta_errors():
            self._own = {name: self._found(name, (MODEL, model)) for name in own_tables.NAMES}
            self._table = self._found(model)
            self._copy_own_tables()
            self._copy_columns()

    def _found(self, name: str, part: tuple[str, str] | None = None) -> DeltaTable | None:
        table = self._folder.open(name)
        if table is not None and not self.is_dry:
            delta_tables.tidy(table, part)
        return table

    def _copy_own_tables(self) -> None:
        """This model's part of them."""
        self._is_there = any(self._own.values()) or self._table is not None
        if any(self._own.values()):
            own_tables.create(self)
        for name, table in self._own.items():
            if table is not None:
                columns = ", ".join(quoted(f.name) for f in table.schema().fields)
                source = delta_tables.select(self._connection, table)
                self._connection.execute(
                    f"INSERT INTO {self.table(name)} ({columns}) SELECT {columns} FROM ({source})"
                    f" WHERE {MODEL} = ?",
                    [self._model],
                )

    def _copy_columns(self) -> None:
        if self._table is None:
            return
        rows = delta_tables.select(self._connection, self._table)
        self._connection.execute(f"CREATE TABLE {self.table(self._model)} AS {rows} LIMIT 0")

    def _fill(self) -> None:
        if self._is_filled or self._table is None:
            return
        self._is_filled = True
        with delta_errors():
            delta_tables.copy(self._connection, self._table, self.table(self._model))

    def _answer(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        if self.table(self._model) in statement:
            self._fill()
        return super()._answer(statement, parameters)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        count = super().execute(statement, parameters)
        change = _CHANGE.match(statement) if count else None
        if change:
            self._changed.add(change[1])
            # Rows that have the run's mark are found again by it; others are not.
            self._is_rewritten |= change[1] == self._model and RUN_ID not in statement
        return count

    def create_stage(
        self,
        stage: str,
        columns: Mapping[str, str],
        *,
        keys: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        if stage == "rows":
            self._keys = keys
        super().create_stage(stage, columns, keys=keys, defaults=defaults)

    @property
    def has_dataset(self) -> bool:
        return self._is_there

    def create_dataset(self) -> None:
        self._is_there = True

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        self._changed.add(table)
        self._is_rewritten = True
        return super().retype(table, types)

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        is_outer = not self._is_in_transaction
        if is_outer and self._keys:  # a table with new rows in it cannot be filled any more
            self._fill()
        with super().transaction(rollback=rollback):
            yield
            if is_outer and not rollback:
                with delta_errors():
                    self._publish()

    def _publish(self) -> None:
        self._publish_own(own_tables.COLUMNS)
        self._publish_rows()
        self._publish_own(own_tables.REJECTED)
        self._publish_own(own_tables.WATERMARKS)
        self._changed.clear()

    def _publish_own(self, name: str) -> None:
        if not self._declared(name):
            return
        table = self._own[name] or self._make_own(name)
        if name not in self._changed:
            return
        self._add_columns(table, name)
        source = f"{self.table(name)} WHERE {MODEL} = ?"
        found = self._reader(name, source, [self._model])
        self._commits.replace_part(table, found, column=MODEL, value=self._model)

    def _make_own(self, name: str) -> DeltaTable:
        """Split by model: runs of several may write at once."""
        types = self._declared(name)
        columns = delta_tables.fields(self._connection, types, self.table(name))
        self._folder.make()
        table = self._own[name] = self._commits.declare(
            self._folder.place(name), columns, split_by=MODEL
        )
        return table

    def _publish_rows(self) -> None:
        if not self._declared(self._model):
            return
        of, there = self.table(self._model), self._table
        if there is None:
            self._folder.make()
            place = self._folder.place(self._model)
            self._table = self._commits.create(place, self._reader(self._model, of))
            self._is_filled = True
            return
        if self._is_rewritten and self._model in self._changed:
            self._commits.replace(there, self._reader(self._model, of))
            self._is_rewritten = False
        else:
            self._add_columns(there, self._model)
            self._merge(there)

    def _add_columns(self, table: DeltaTable, name: str) -> None:
        known = {field.name for field in table.schema().fields}
        added = {n: kind for n, kind in self._declared(name).items() if n not in known}
        if added:
            of = self.table(name)
            self._commits.add_columns(table, delta_tables.fields(self._connection, added, of))

    def _merge(self, table: DeltaTable) -> None:
        if self._model in self._changed:
            source = f"{self.table(self._model)} WHERE {RUN_ID} = ?"
            found = self._reader(self._model, source, [self._run_id])
            self._commits.merge(table, found, self._keys)

    def _reader(self, name: str, source: str, parameters: Sequence[Any] = ()) -> Any:
        return delta_tables.rows(
            self._connection,
            self._declared(name),
            source,
            batch_rows=BATCH_ROWS,
            parameters=parameters,
        )
