"""Rows that are wider than a page of PostgreSQL or MariaDB: some of their values go into ``_overflow``.

A row stands on one page of 8 kB, or on half of one of 16 kB. Long values are moved out of it, each
leaving a pointer; a row with more than some four hundred values does not fit even so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.sync.common.names import DELETED_AT, MISFITS, OVERFLOW, ROW_HASH
from ingestion.sync.load.columns.batch import SEQUENCE, Batch, json_values
from ingestion.sync.load.columns.hashing import texts
from ingestion.sync.load.columns.typed import json_text
from ingestion.sync.load.columns.types import Dialect

PAGE_BYTES: Final = 7_600  # less what a header and the facts on the row take


@dataclass(frozen=True)
class Page:
    """``always_fits``: so many columns do, whatever they hold. A value of variable length stays as
    it is if it is shorter than ``inline_bytes``; a longer one is moved, and leaves a pointer.
    ``fixed_bytes``: of a number or a time, with the gap before it."""

    always_fits: int
    inline_bytes: int
    pointer_bytes: int
    fixed_bytes: int
    decimal_bytes: int | None = None  # None: of variable length


PAGES: Final[dict[str, Page]] = {
    "postgresql": Page(400, 24, 18, 16),
    # https://mariadb.com/docs/server/server-usage/storage-engines/innodb/innodb-row-formats
    "mariadb": Page(180, 41, 22, 8, decimal_bytes=30),
}
_FIXED: Final = frozenset({"bigint", "double", "bool", "timestamp", "datetime", "date", "time"})
_STAY: Final = frozenset({ROW_HASH, DELETED_AT, SEQUENCE, MISFITS, OVERFLOW})


def fit_rows(batch: Batch, dialect: Dialect, keys: Sequence[str]) -> Batch:
    """The batch with rows that fit; the last columns of a row give way first."""
    page = PAGES.get(dialect)
    if page is None or len(batch.columns) <= page.always_fits:
        return batch
    sizes = {name: _sizes(batch, name, page) for name in batch.columns}
    moved: dict[str, set[int]] = {}
    for row in range(len(batch)):
        for name in _too_many({n: size[row] for n, size in sizes.items()}, keys):
            moved.setdefault(name, set()).add(row)
    return _without(batch, moved) if moved else batch


def _sizes(batch: Batch, name: str, page: Page) -> list[int]:
    """What each value takes on the page."""
    kind = batch.types[name]
    fixed = page.decimal_bytes if kind == "decimal" else None
    if kind in _FIXED or fixed:
        taken = fixed or page.fixed_bytes
        return [taken if valid else 0 for valid in batch.columns[name].is_valid().to_pylist()]
    lengths = pc.binary_length(batch.texts[name]).to_pylist()
    return [
        0 if n is None else page.pointer_bytes if n >= page.inline_bytes else n + 1 for n in lengths
    ]


def _too_many(sizes: dict[str, int], keys: Sequence[str]) -> list[str]:
    taken = sum(sizes.values()) + len(sizes) // 8
    chosen = []
    for name in reversed(sizes):
        if taken <= PAGE_BYTES:
            break
        if sizes[name] and name not in _STAY and name not in keys:
            taken -= sizes[name]
            chosen.append(name)
    return chosen


def _without(batch: Batch, moved: dict[str, set[int]]) -> Batch:
    """The batch with the values of some cells in ``_overflow``."""
    columns, written = dict(batch.columns), dict(batch.texts)
    overflow = _overflow_of(batch)
    for name, rows in moved.items():
        values = json_values(batch.columns[name], batch.types[name])
        for row in rows:
            overflow[row] = {**(overflow[row] or {}), name: values[row]}
        stays = pa.array([row not in rows for row in range(len(batch))])
        nothing = pa.scalar(None, columns[name].type)
        columns[name] = pc.if_else(stays, columns[name], nothing)
        written[name] = texts(columns[name], batch.types[name])
    array = pa.array([None if o is None else json_text(o) for o in overflow], pa.string())
    columns[OVERFLOW] = written[OVERFLOW] = array
    return replace(batch, columns=columns, texts=written, types={**batch.types, OVERFLOW: "json"})


def _overflow_of(batch: Batch) -> list[dict[str, Any] | None]:
    if OVERFLOW not in batch.columns:
        return [None] * len(batch)
    return json_values(batch.columns[OVERFLOW], "json")
