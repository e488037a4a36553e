"""Compares a CRM with the warehouse, record by record: every value that can be read on both sides.

Two readings are made. The first takes the sync's own pages and conversion; the warehouse's values are
read back and written in the canonical form in which the CRM's are, and the checksums that a load has
stored count for nothing. The second, see ``sync.raw``, shares nothing with them: it compares what the
CRM sent, what it counts, and what it gives when it is asked by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.conf import warehouse_conf
from ingestion.services.runs.sources import source_context
from ingestion.services.runs.verification_report import ModelReport
from ingestion.services.security.secrets import mask_error
from ingestion.sync.common.errors import NotOffered, PermanentError
from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm, open_source
from ingestion.sync.common.run import SyncOptions, policy_of
from ingestion.sync.common.source import (
    AdaptsModels,
    Crm,
    CrmSource,
    Meter,
    Model,
    Window,
)

if TYPE_CHECKING:
    from ingestion.sync.common.convert import Converter
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.hashes import RowHashes
    from ingestion.sync.load.tables.stored import StoredTable
    from ingestion.sync.raw.reader import RawReader
    from ingestion.sync.raw.second import Findings, Recorder, SecondReading

LOOK_UPS = 20


@dataclass(frozen=True)
class Second:
    """What the second reading is made with."""

    reader: RawReader
    recorder: Recorder
    look_ups: int = LOOK_UPS


@dataclass
class _Expected:
    """What the first reading gave: checksums by key, hashes by key, and records without a key."""

    checksums: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    without_key: int = 0


def verify(
    crm_source: str, model: str | None, reporter: Reporter, *, look_ups: int = LOOK_UPS
) -> Iterator[ModelReport]:
    """A report per model, or of one. Raises SyncError."""
    # Arrow takes a second to import: only a process that compares pays for it.
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.raw.reader import open_reader
    from ingestion.sync.raw.second import Recorder

    found = crm(crm_source)
    models = _models(found, model)
    context, recorder = source_context(found.name, reporter, Meter()), Recorder()
    with (
        closing(open_source(found.name, replace(context, hear=recorder.hear))) as source,
        closing(open_reader(found.name, context)) as reader,
        closing(Warehouse(warehouse_conf().url)) as warehouse,
    ):
        second = Second(reader, recorder, look_ups)
        for one in models:
            try:
                yield verify_model(found, one, source, warehouse, reporter, second)
            except NotOffered as problem:
                yield ModelReport(found.name, one.name, not_offered=mask_error(str(problem)))


def verify_model(
    found: Crm,
    model: Model,
    source: CrmSource,
    warehouse: Warehouse,
    reporter: Reporter,
    second: Second | None = None,
) -> ModelReport:
    """Read a model in full on both sides. Only keys and checksums are kept in memory. Without
    ``second`` the first reading stands alone."""
    from ingestion.sync.common.convert import Converter
    from ingestion.sync.load.columns.types import DECIMALS
    from ingestion.sync.load.tables.stored import StoredTable

    reporter.step(model.name, "verify")
    report = ModelReport(found.name, model.name)
    table = StoredTable.read(warehouse.dataset(found.name), model.name)
    adapted = source.adapted(model) if isinstance(source, AdaptsModels) else model
    declared = source.columns(adapted)
    is_frozen = table.names and warehouse_conf().schema_policy(found.name) == "freeze"
    taken = table.names.keys() | {DELETED_AT} if is_frozen else None
    # What has no value yet has no column either, where the model makes columns with values.
    known = table.names if adapted.only_filled and table.names else taken or declared
    converter = Converter.build(
        adapted,
        existing={**table.types, **table.overflow},
        declared={n: kind for n, kind in declared.items() if n in known},
        names=table.names,
        decimals=DECIMALS.get(warehouse.url.get_backend_name()),
    )
    with ExitStack() as opened:
        hashes = opened.enter_context(_hashes(found, adapted, source, warehouse, declared))
        reading = _second_reading(second, adapted, table)
        if reading is not None:
            opened.enter_context(closing(reading))
        expected = _first_reading(adapted, source, converter, reporter, taken, hashes, reading)
        findings = (
            reading.end(expected.checksums.keys(), without_key=expected.without_key)
            if reading is not None
            else None
        )
    report.source_rows = len(expected.checksums)
    forgotten = findings.forgotten if findings else set()
    wrong = _compare(report, expected.checksums, _table_checksums(table, converter), forgotten)
    report.wrong_types = _wrong_types(table, converter)
    if findings:
        _take(report, findings, expected, wrong)
    report.advice = None if report.is_equal else report.repair(found)
    return report


def _hashes(
    found: Crm, model: Model, source: CrmSource, warehouse: Warehouse, declared: Any
) -> Any:
    """A context of what hashes records."""
    from ingestion.sync.load.hashes import row_hashes
    from ingestion.sync.load.run import Run

    policy = policy_of(warehouse_conf().schema_policy(found.name))
    options = SyncOptions(dry_run=True)
    run = Run(found, model, source, options, warehouse, Path(), schema_policy=policy)
    return row_hashes(run, model, declared)


def _second_reading(
    second: Second | None, model: Model, table: StoredTable
) -> SecondReading | None:
    from ingestion.sync.raw.second import SecondReading

    if second is None:
        return None
    return SecondReading(second.reader, model, table, second.recorder, look_ups=second.look_ups)


def _first_reading(
    model: Model,
    source: CrmSource,
    converter: Converter,
    reporter: Reporter,
    taken: Set[str] | None,
    hashes: RowHashes | None,
    second: SecondReading | None,
) -> _Expected:
    """Checksum by key of every record that the CRM has; the last one of a key counts. ``taken``: the
    fields that a frozen schema has; None: all."""
    from ingestion.sync.common.convert import NoKey

    found = _Expected()
    for page in source.pages(model, Window(), batch_size=None):
        for record in page.records:
            if taken is not None:
                record = {name: value for name, value in record.items() if name in taken}
            try:
                row = converter.convert(record)
            except NoKey:  # it stands in _rejected
                found.without_key += 1
                continue
            if row.deleted_at is None:
                found.checksums[row.key] = converter.hash_of(row.values)
            else:
                found.checksums.pop(row.key, None)
        if hashes is not None:
            found.hashes.update(hashes.of(page.records))
        if second is not None:
            second.hear()
        reporter.advance(model.name, rows=len(page.records))
    return found


def _table_checksums(table: StoredTable, converter: Converter) -> Iterator[tuple[str, str]]:
    """Key and checksum of every row that is not marked as deleted, from its values."""
    from ingestion.sync.common.convert import NoKey

    for number, values in enumerate(table.rows(), start=1):
        try:
            key = converter.key_of(values)
        except NoKey:  # somebody has taken it away
            yield f"row {number} without a key", ""
            continue
        try:
            yield key, converter.hash_of(values)
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            yield key, ""  # SQLite takes what is no value of the column's type


def _compare(
    report: ModelReport,
    expected: dict[str, str],
    rows: Iterable[tuple[str, str]],
    forgotten: Set[str],
) -> set[str]:
    """Keys of the rows that are not as the CRM has them."""
    seen: set[str] = set()
    wrong: set[str] = set()
    for key, checksum in rows:
        report.warehouse_rows += 1
        if key in seen:
            report.duplicates += 1
            report.add_example("twice", key)
        elif key in forgotten:
            report.forgotten += 1
        elif key not in expected:
            report.extra += 1
            report.add_example("extra", key)
        elif expected[key] != checksum:
            report.different += 1
            report.add_example("different", key)
            wrong.add(key)
        seen.add(key)
    for key in expected.keys() - seen:
        report.missing += 1
        report.add_example("missing", key)
    return wrong


def _take(report: ModelReport, found: Findings, expected: _Expected, wrong: Set[str]) -> None:
    """What the second reading has found."""
    from ingestion.sync.load.hashes import is_current

    for name in ("sent", "counted", "is_miscounted", "looked_up"):
        setattr(report, name, getattr(found, name))
    for name in ("wrong_values", "unread", "undeleted"):
        setattr(report, name, getattr(found, name))
    report.wrong_types += found.wrong_types
    report.notes += found.notes
    report.examples += found.examples
    for key, stored in found.hashes.items():
        may_be_told = not stored or is_current(stored)
        is_changed = may_be_told and expected.hashes.get(key, stored) != stored
        if is_changed and key not in wrong:
            report.changed_hashes += 1
            report.add_example("changed hash", key)


def _wrong_types(table: StoredTable, converter: Converter) -> list[str]:
    from ingestion.sync.common.convert import OWN_COLUMNS
    from ingestion.sync.load.columns.types import WIDENS

    if not table.exists:
        return []
    wrong = [
        f"{column} is {kept} instead of {declared}"
        for column, (declared, kept) in sorted(converter.retyped.items())
        if WIDENS.get(declared) != kept  # a value has needed it
    ]
    absent = sorted(converter.new_columns.keys() - table.types.keys() - OWN_COLUMNS.keys())
    return wrong + [f"{column} is not in the table" for column in absent]


def _models(found: Crm, name: str | None) -> tuple[Model, ...]:
    if name is None:
        return found.models
    try:
        return (found.model(name),)
    except LookupError as unknown:
        raise PermanentError(str(unknown)) from unknown
