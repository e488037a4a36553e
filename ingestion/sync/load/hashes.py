"""The hashes that records would be stored with, so that a changed ``_row_hash`` is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ingestion.sync.common.names import ROW_HASH
from ingestion.sync.common.source import Columns, Model, Record
from ingestion.sync.load.columns.batch import Batcher
from ingestion.sync.load.columns.hashing import VERSION
from ingestion.sync.load.columns.rejects import Rejects
from ingestion.sync.load.pipeline import open_session
from ingestion.sync.load.run import Run
from ingestion.sync.load.tables.table import Table


@dataclass
class RowHashes:
    """Those of one table as it is now."""

    _batcher: Batcher

    def of(self, records: Sequence[Record]) -> Iterator[tuple[str, str]]:
        """Key and hash of each record that has a key and is not merely said to be gone."""
        batch = self._batcher.batch(records) if records else None
        if batch is None or not len(batch):
            return
        hashes = batch.columns[ROW_HASH].to_pylist()
        yield from ((batch.key(row), hashes[row]) for row in range(len(batch)))


def is_current(row_hash: str) -> bool:
    """Whether it is of the form that is written today; others are compared by their values."""
    return row_hash.startswith(VERSION)


@contextmanager
def row_hashes(run: Run, model: Model, columns: Columns) -> Iterator[RowHashes | None]:
    """None where the table does not exist. ``model``, ``columns``: as the source adapts and declares
    them. Nothing is written."""
    session = open_session(run)
    try:
        table = Table.read(session, run.crm.name, model.name, run.schema_policy)
        if not table.exists:
            yield None
            return
        table.declare(model, columns)
        yield RowHashes(Batcher(model, table.map, Rejects()))
    finally:
        session.close()
