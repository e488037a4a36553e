"""Compares a CRM with the warehouse, record by record: every value that can be read on both sides.

The warehouse's values are read back and written in the canonical form in which the CRM's are;
the checksums that a load has stored count for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from ingestion.conf import warehouse_conf
from ingestion.services.secrets import mask
from ingestion.services.sources import source_context
from ingestion.sync.common.errors import NotOffered, PermanentError
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm, open_source
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
    from ingestion.sync.common.table import StoredTable
    from ingestion.sync.common.warehouse import Warehouse

EXAMPLES = 5
# SQLite keeps a decimal as a binary fraction, which has so many digits.
SQLITE_DIGITS = Context(prec=15)


@dataclass
class ModelReport:
    """How one model's table stands to the CRM; counts are records. ``not_offered`` says why this
    account has no such model: then nothing was compared."""

    crm_source: str
    model: str
    source_rows: int = 0
    warehouse_rows: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    duplicates: int = 0
    wrong_types: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    not_offered: str | None = None

    @property
    def is_equal(self) -> bool:
        wrong = self.missing + self.extra + self.different + self.duplicates
        return wrong == 0 and not self.wrong_types

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_equal": self.is_equal}

    def add_example(self, what: str, key: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what} {key.replace(chr(0x1F), ', ')}")


def verify(crm_source: str, model: str | None, reporter: Reporter) -> Iterator[ModelReport]:
    """A report per model, or of one. Raises SyncError."""
    # dlt takes more than a second to import: only a process that compares pays for it.
    from ingestion.sync.common.warehouse import Warehouse

    found = crm(crm_source)
    models = _models(found, model)
    context = source_context(found.name, reporter, Meter())
    with (
        closing(open_source(found.name, context)) as source,
        closing(Warehouse(warehouse_conf().url)) as warehouse,
    ):
        for one in models:
            try:
                yield verify_model(found, one, source, warehouse, reporter)
            except NotOffered as problem:
                yield ModelReport(found.name, one.name, not_offered=mask(str(problem)))


def verify_model(
    found: Crm, model: Model, source: CrmSource, warehouse: Warehouse, reporter: Reporter
) -> ModelReport:
    """Read a model in full on both sides. Only keys and checksums are kept in memory."""
    from ingestion.sync.common.convert import Converter
    from ingestion.sync.common.table import StoredTable

    reporter.step(model.name, "verify")
    report = ModelReport(found.name, model.name)
    table = StoredTable.read(warehouse.dataset(found.name), model.name)
    adapted = source.adapted(model) if isinstance(source, AdaptsModels) else model
    declared = source.columns(adapted)
    converter = Converter.build(adapted, existing=table.columns, declared=declared)
    digits = SQLITE_DIGITS if warehouse.is_sqlite else None
    expected = _source_checksums(adapted, source, converter, reporter, digits)
    report.source_rows = len(expected)
    _compare(report, expected, _table_checksums(table, converter, digits))
    report.wrong_types = _wrong_types(table, converter)
    return report


def _source_checksums(
    model: Model,
    source: CrmSource,
    converter: Converter,
    reporter: Reporter,
    digits: Context | None,
) -> dict[str, str]:
    """Checksum by key of every record that the CRM has; the last one of a key counts."""
    found: dict[str, str] = {}
    for page in source.pages(model, Window(), batch_size=None):
        for record in page.records:
            row = converter.convert(record)
            if row.deleted_at is None:
                found[row.key] = converter.hash_of(_rounded(row.values, digits))
            else:
                found.pop(row.key, None)
        reporter.advance(model.name, rows=len(page.records))
    return found


def _table_checksums(
    table: StoredTable, converter: Converter, digits: Context | None
) -> Iterator[tuple[str, str]]:
    """Key and checksum of every row that is not marked as deleted, from its values."""
    from ingestion.sync.common.convert import OWN_COLUMNS

    if not table.exists:
        return
    for row in table.rows([name for name in table.columns if name not in OWN_COLUMNS]):
        values = {name: value for name, value in row.items() if value is not None}
        yield converter.key_of(values), converter.hash_of(_rounded(values, digits))


def _compare(
    report: ModelReport, expected: dict[str, str], rows: Iterable[tuple[str, str]]
) -> None:
    seen: set[str] = set()
    for key, checksum in rows:
        report.warehouse_rows += 1
        if key in seen:
            report.duplicates += 1
            report.add_example("twice", key)
        elif key not in expected:
            report.extra += 1
            report.add_example("extra", key)
        elif expected[key] != checksum:
            report.different += 1
            report.add_example("different", key)
        seen.add(key)
    for key in expected.keys() - seen:
        report.missing += 1
        report.add_example("missing", key)


def _wrong_types(table: StoredTable, converter: Converter) -> list[str]:
    if not table.exists:
        return []
    wrong = [
        f"{column} is {kept} instead of {declared}"
        for column, (declared, kept) in sorted(converter.retyped.items())
    ]
    absent = sorted(converter.new_columns.keys() - table.columns.keys())
    return wrong + [f"{column} is not in the table" for column in absent]


def _rounded(values: dict[str, Any], digits: Context | None) -> dict[str, Any]:
    if digits is None:
        return values
    return {
        name: digits.plus(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
    }


def _models(found: Crm, name: str | None) -> tuple[Model, ...]:
    if name is None:
        return found.models
    try:
        return (found.model(name),)
    except LookupError:
        names = ", ".join(model.name for model in found.models)
        raise PermanentError(f"{found.name} has no model {name!r}; it has: {names}.") from None
