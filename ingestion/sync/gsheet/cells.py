"""What cells mean: headers, rows and typed values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

from ingestion.sync.common.source import Record
from ingestion.sync.gsheet.settings import KEY, SHEET

Cells = Sequence[object]
AMOUNT = re.compile(r"[$€£,\s]")
DATE_FORMATS = {"mdy": ("%m/%d/%Y", "%m/%d/%y"), "dmy": ("%d/%m/%Y", "%d/%m/%y")}
TIME_FORMATS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")


def headers_of(cells: Cells) -> list[str]:
    """A name per column: blank ones become ``column_N``, repeated ones get a number."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = str(cell).strip() or f"column_{number}"
        taken, copy = set(names), 1
        while (unique := name if copy == 1 else f"{name} {copy}") in taken:
            copy += 1
        names.append(unique)
    return names


def named(cells: Cells, headers: Sequence[str]) -> dict[str, str]:
    """The filled cells of a row by column; cells beyond the headers go to ``column_N``."""
    filled: dict[str, str] = {}
    for index, cell in enumerate(cells):
        name = headers[index] if index < len(headers) else f"column_{index + 1}"
        if str(cell).strip():
            filled[name] = str(cell)
    return filled


@dataclass
class Keys:
    """The content of a row as its key; equal rows are told apart by counting them."""

    _seen: dict[bytes, int] = field(default_factory=dict)

    def of(self, row: Mapping[str, str]) -> str:
        digest = blake2b(digest_size=16)
        for name in sorted(row):
            digest.update(f"{name}\x1f{row[name]}\x1e".encode())
        ordinal = self._seen[digest.digest()] = self._seen.get(digest.digest(), 0) + 1
        return f"{digest.hexdigest()}-{ordinal}"


@dataclass(frozen=True)
class Reader:
    """Turns rows of cells into records. A cell that does not fit its type stays as it is, so that
    it can be seen what it holds."""

    sheet: str
    headers: Sequence[str]
    typed: Mapping[str, str]
    zone: ZoneInfo
    date_order: str
    keys: Keys = field(default_factory=Keys)

    def records(self, rows: Iterable[Cells]) -> list[Record]:
        """Without the empty rows."""
        filled = (named(cells, self.headers) for cells in rows)
        return [self._record(row) for row in filled if row]

    def _record(self, row: dict[str, str]) -> Record:
        values = {name: self._value(name, text) for name, text in row.items()}
        return {**values, KEY: self.keys.of(row), SHEET: self.sheet}

    def _value(self, name: str, text: str) -> object:
        match self.typed.get(name):
            case "decimal" | "bigint":
                return amount(text)
            case "date":
                found = moment(text, self.date_order)
                return found.date() if found else text
            case "timestamp":
                found = moment(text, self.date_order)
                return found.replace(tzinfo=self.zone).astimezone(UTC) if found else text
        return text


def amount(text: str) -> str:
    """``$1,234.50`` without its decoration; ``(5.00)`` is how books write -5."""
    bare = AMOUNT.sub("", text)
    return f"-{bare[1:-1]}" if bare.startswith("(") and bare.endswith(")") else bare


def moment(text: str, date_order: str) -> datetime | None:
    """The date or time of a cell, without a zone; None where it is none."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return _by_formats(text.strip(), DATE_FORMATS[date_order])


def _by_formats(text: str, dates: Sequence[str]) -> datetime | None:
    for form in (day + time for day in dates for time in TIME_FORMATS):
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - cells have no zone
        except ValueError:
            continue
    return None
