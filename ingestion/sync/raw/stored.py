"""Rows of the warehouse as texts, as the database itself writes them: no number becomes a float."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import func, select

from ingestion.sync.common.names import DELETED_AT, DELETED_PROOF, MISFITS, OVERFLOW, ROW_HASH
from ingestion.sync.load.tables.stored import MARIADB, StoredTable

ROWS_PER_FETCH: Final = 2_000
OWN: Final = (DELETED_AT, DELETED_PROOF, ROW_HASH)


@dataclass(frozen=True)
class TextRow:
    """``values`` by column, without nulls; those of ``_overflow`` are among them."""

    values: Mapping[str, str]
    misfits: Mapping[str, Any]
    deleted_at: str | None = None
    deleted_proof: str | None = None
    row_hash: str | None = None


def text_rows(table: StoredTable) -> Iterator[TextRow]:
    """All rows, deleted ones too; none where there is no table."""
    yield from _selected(table, "")


def random_rows(table: StoredTable, count: int, *, deleted: bool) -> list[TextRow]:
    """So many at most, of those that are marked as deleted or of the others."""
    if not count:
        return []
    mark = "IS NOT NULL" if deleted else "IS NULL"
    chance = "rand()" if table.dataset.engine.dialect.name in MARIADB else "random()"
    rows = _selected(table, f"WHERE {DELETED_AT} {mark} ORDER BY {chance} LIMIT {int(count)}")
    return list(rows)


def living_rows(table: StoredTable) -> int:
    """How many are not marked as deleted."""
    if table.table is None:
        return 0
    mark = table.table.c[DELETED_AT]
    question = select(func.count()).select_from(table.table).where(mark.is_(None))
    with table.dataset.engine.connect() as connection:
        return int(connection.execute(question).scalar_one())


def _selected(table: StoredTable, rest: str) -> Iterator[TextRow]:
    if table.table is None:
        return
    there = [column.name for column in table.table.c]
    names = [n for n in there if n in table.types or n in (*OWN, OVERFLOW)]
    with table.dataset.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            for setting in ("TimeZone = 'UTC'", "DateStyle = 'ISO'", "bytea_output = 'hex'"):
                connection.exec_driver_sql(f"SET LOCAL {setting}")
        statement = _statement(table, names, rest, _as_text(connection.dialect.name, table))
        options = connection.execution_options(yield_per=ROWS_PER_FETCH)
        for row in options.exec_driver_sql(statement):
            yield _row({n: v for n, v in zip(names, row, strict=True) if v is not None})


def _as_text(dialect: str, table: StoredTable) -> Callable[[str, str], str]:
    """Writes a column, by its name and quoted, as the database gives it as a text."""
    if dialect == "sqlite":  # it has the texts; its own texts of numbers lack digits
        return lambda name, quoted: quoted
    if dialect == "duckdb":
        return lambda name, quoted: (
            f"lower(hex({quoted}))" if table.types.get(name) == "binary" else f"{quoted}::VARCHAR"
        )
    if dialect in MARIADB:
        return lambda name, quoted: (
            f"lower(hex({quoted}))"
            if table.types.get(name) == "binary"
            else f"CAST({quoted} AS char)"
        )
    return lambda name, quoted: f"{quoted}::text"


def _statement(
    table: StoredTable, names: list[str], rest: str, as_text: Callable[[str, str], str]
) -> str:
    quote = table.dataset.engine.dialect.identifier_preparer.quote_identifier
    schema = table.dataset.schema
    place = f"{quote(schema)}.{quote(table.name)}" if schema else quote(table.name)
    columns = ", ".join(as_text(name, quote(name)) for name in names)
    return f"SELECT {columns} FROM {place} {rest}"  # noqa: S608 - names only


def _row(found: dict[str, Any]) -> TextRow:
    own = {name: found.pop(name, None) for name in OWN}
    misfits, overflow = (_object(found.pop(name, None)) for name in (MISFITS, OVERFLOW))
    values = {name: text_of(value) for name, value in {**overflow, **found}.items()}
    return TextRow(
        {name: value for name, value in values.items() if value is not None},
        {name: _value(entry) for name, entry in misfits.items()},
        own[DELETED_AT],
        own[DELETED_PROOF],
        own[ROW_HASH],
    )


def text_of(value: Any) -> str | None:
    """What SQLite hands over, and what stands in JSON, as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    return repr(value) if isinstance(value, float) else json.dumps(value, default=str)


def _object(text: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _value(entry: Any) -> Any:
    """Of a misfit with its reason, and of one without."""
    has_reason = isinstance(entry, dict) and entry.keys() == {"reason", "value"}
    return entry["value"] if has_reason else entry
