"""Puts batches into the staging tables; a row that the warehouse refuses is found and rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from ingestion.sync.common.names import DELETED_AT, ROW_HASH, RUN_ID, SYNCED_AT
from ingestion.sync.load.columns.batch import SEQUENCE, Batch, Batcher
from ingestion.sync.load.columns.column_map import FACTS, ColumnMap
from ingestion.sync.load.columns.rejects import Rejects
from ingestion.sync.load.columns.wide import fit_rows
from ingestion.sync.load.tables.own_tables import REJECTED_COLUMNS
from ingestion.sync.load.tables.session import RowRefused, Session, Stage


@dataclass
class Stager:
    """``publishes``: the staged rows will become the table, so they have its facts."""

    session: Session
    batcher: Batcher
    run_id: str
    at: datetime
    publishes: bool = False
    columns: dict[str, str] = field(default_factory=dict)  # of the staged rows
    rows: int = 0
    gone: int = 0
    known: int = 0

    @property
    def map(self) -> ColumnMap:
        return self.batcher.map

    @property
    def rejects(self) -> Rejects:
        return self.batcher.rejects

    def add(self, batch: Batch) -> None:
        self._reject()
        if len(batch):
            self._fit_columns(batch.types)
            batch = fit_rows(batch, self.session.dialect, self.batcher.key_columns)
            self._fit_columns(batch.types)
            self._stage(batch)
        if batch.gone:
            self.gone += self._insert("gone", batch.gone)
        self._reject()

    def add_known(self, keys: Mapping[str, pa.Array]) -> None:
        """Keys of records that exist, by the key's columns."""
        self.known += self._insert("known", keys)

    def begin(self) -> None:
        """Empty staging tables."""
        key = {name: self.map.in_table[name].data_type for name in self.batcher.key_columns}
        self.columns = self._first_columns()
        defaults = {RUN_ID: self.run_id, SYNCED_AT: self.session.moment(self.at)}
        self.session.create_stage(
            "rows", self.columns, keys=list(key), defaults=defaults if self.publishes else None
        )
        marked = {**key, DELETED_AT: "timestamp", SEQUENCE: "bigint"}
        self.session.create_stage("gone", marked, keys=list(key))
        self.session.create_stage("known", key, keys=list(key))
        self.session.create_stage("rejected", REJECTED_COLUMNS)

    def _first_columns(self) -> dict[str, str]:
        own = FACTS if self.publishes else {ROW_HASH: "text", DELETED_AT: "timestamp"}
        content = {name: column.data_type for name, column in self.map.in_table.items()}
        return {**content, **own, SEQUENCE: "bigint"}

    def _fit_columns(self, types: Mapping[str, str]) -> None:
        """Staged columns for what a batch brings."""
        wider = {n: t for n, t in types.items() if self.columns.get(n, t) != t}
        if wider:
            self.session.retype_staged(wider)
        for name in types.keys() - self.columns.keys():
            self.session.add_column(self.session.staged("rows"), name, types[name])
        self.columns.update(types)

    def _stage(self, batch: Batch) -> None:
        try:
            self.session.stage("rows", batch)
            self.rows += len(batch)
        except RowRefused as refused:
            if len(batch) == 1:
                self._refuse(batch, str(refused))
                return
            half = len(batch) // 2
            self._stage(batch.part(0, half))
            self._stage(batch.part(half, len(batch) - half))

    def _refuse(self, batch: Batch, detail: str) -> None:
        self.rejects.add(
            batch.records[0], batch.key(0), "refused", f"the warehouse refuses a row: {detail}"
        )
        self.add_known({name: batch.columns[name] for name in self.batcher.key_columns})

    def _insert(self, stage: Stage, columns: Mapping[str, pa.Array]) -> int:
        """How many rows it were."""
        types = {name: column.data_type for name, column in self.map.in_table.items()}
        types |= {DELETED_AT: "timestamp", SEQUENCE: "bigint"}
        values = [self.session.values(array, types[name]) for name, array in columns.items()]
        self.session.insert(stage, list(columns), list(zip(*values, strict=True)))
        return len(values[0])

    def _reject(self) -> None:
        at, model = self.session.moment(self.at), self.batcher.model.name
        rows = [
            (model, r.fingerprint, r.key, r.raw, r.reason, r.detail, self.run_id, at, r.raw_form)
            for r in self.rejects.taken()
        ]
        if rows:
            self.session.insert("rejected", list(REJECTED_COLUMNS), rows)
