"""What cells mean: headers, rows and typed values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.source import Record
from ingestion.sync.common.values import plain_decimal
from ingestion.sync.gsheet.locale import SheetLocale
from ingestion.sync.gsheet.settings import KEY, SHEET

Cells = Sequence[object]
Number = int | float | Decimal
OURS = (KEY, SHEET, DELETED_AT)
DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone
DATE_FORMATS = {
    "mdy": ("%m/%d/%Y", "%m/%d/%y"),
    "dmy": ("%d/%m/%Y", "%d/%m/%y"),
    "ymd": ("%Y/%m/%d", "%y/%m/%d"),
}
TIME_FORMATS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
# 31.12.2026, 31-12-2026 and 31. 12. 2026 are 31/12/2026.
NUMERIC_DATE = re.compile(r"(\d{1,4})[./-]\s?(\d{1,2})[./-]\s?(\d{1,4})\.?(?=,?\s|$),?")


@dataclass(frozen=True)
class Row:
    """``shown``: the cells as their formats show them; ``held``: the values beneath: texts,
    numbers, bools. A date is a number of days."""

    shown: Sequence[str]
    held: Cells


def headers_of(cells: Cells) -> list[str]:
    """A name per column: blank ones become ``column_N``; repeated ones get a number, and those that
    are named like what a load adds."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = str(cell).strip() or f"column_{number}"
        taken, copy = {*names, *OURS}, 1
        while (unique := name if copy == 1 else f"{name} {copy}") in taken:
            copy += 1
        names.append(unique)
    return names


def named(row: Row, headers: Sequence[str]) -> dict[str, tuple[str, object]]:
    """The filled cells of a row by column, as shown and as held; cells beyond the headers go to
    ``column_N``."""
    filled: dict[str, tuple[str, object]] = {}
    for index, shown in enumerate(row.shown):
        name = headers[index] if index < len(headers) else f"column_{index + 1}"
        if shown.strip():
            filled[name] = (shown, row.held[index])
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
    """Turns rows of cells into records. A cell that does not fit its type stays as it is shown, so
    that it can be seen what it holds."""

    sheet: str
    headers: Sequence[str]
    typed: Mapping[str, str]
    locale: SheetLocale
    keys: Keys = field(default_factory=Keys)

    def records(self, rows: Iterable[Row]) -> list[Record]:
        """Without the empty rows."""
        filled = (named(row, self.headers) for row in rows)
        return [self._record(cells) for cells in filled if cells]

    def _record(self, cells: Mapping[str, tuple[str, object]]) -> Record:
        """The key is of what is shown: a digit that a format hides changes a row, not its key."""
        values = {name: self._value(name, *cell) for name, cell in cells.items()}
        key = self.keys.of({name: shown for name, (shown, _) in cells.items()})
        return {**values, KEY: key, SHEET: self.sheet}

    def _value(self, name: str, shown: str, held: object) -> object:
        is_number = isinstance(held, Number) and not isinstance(held, bool)
        match self.typed.get(name):
            case "decimal" | "bigint":
                return self._number(shown, held if is_number else None)
            case "date":
                found = self._moment(shown, held if is_number else None)
                return found.date() if found else shown
            case "timestamp":
                found = self._moment(shown, held if is_number else None)
                return (self._in_utc(found) if found else None) or shown
        return self._text(shown, held) if is_number else shown

    def _number(self, shown: str, held: object) -> object:
        """A number, unless it is shown as a date."""
        if isinstance(held, Number):
            return shown if self._is_date(shown, held) else held
        found = self.locale.number(shown)
        return shown if found is None else found

    def _is_date(self, shown: str, held: Number) -> bool:
        """4-Mar or 12:30 in a column of numbers is a slip, not 46085 or 0.52."""
        if is_rounded(shown, held, self.locale):
            return False
        in_words = ":" in shown or self.locale.names_month(shown)
        return in_words or _is_day(shown, held, self.locale)

    def _moment(self, shown: str, held: object) -> datetime | None:
        """A number counts days, unless it is shown as a number."""
        if not isinstance(held, Number):
            return moment(shown, self.locale.date_order)
        return None if is_rounded(shown, held, self.locale) else moment_of_serial(held)

    def _text(self, shown: str, held: object) -> str:
        """As it is shown, unless that hides digits, or the time of a day."""
        assert isinstance(held, Number)
        if is_rounded(shown, held, self.locale):
            exact = Decimal(repr(held)) if isinstance(held, float) else Decimal(held)
            return shown if self.locale.number(shown) == exact else plain_decimal(exact)
        if _is_day(shown, held, self.locale):
            day, at = moment(shown, self.locale.date_order), moment_of_serial(held)
            return shown if day == at or at is None else at.isoformat(sep=" ")
        return shown

    def _in_utc(self, found: datetime) -> datetime | None:
        aware = found if found.tzinfo else found.replace(tzinfo=self.locale.zone)
        try:
            return aware.astimezone(UTC)
        except OverflowError:  # 9999-12-31 west of Greenwich
            return None


def is_rounded(shown: str, held: Number, locale: SheetLocale) -> bool:
    """Whether the text shows the number, be it with fewer digits: 1,235 for 1234.56."""
    found = locale.number(shown)
    if found is None:
        return False
    one_in_the_last_place = Decimal(1).scaleb(int(found.as_tuple().exponent))
    return abs(Decimal(str(held)) - found) <= one_in_the_last_place


def _is_day(shown: str, held: Number, locale: SheetLocale) -> bool:
    """Whether the text shows the day that the number counts."""
    told, at = moment(shown, locale.date_order), moment_of_serial(held)
    return told is not None and at is not None and told.date() == at.date()


def moment_of_serial(serial: Number) -> datetime | None:
    """Days since 1899-12-30, to the millisecond; None beyond the calendar."""
    try:
        milliseconds = round(Decimal(str(serial)) * 86_400_000)
        return DAY_ZERO + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def moment(text: str, date_order: str) -> datetime | None:
    """The date or time of a text, with a zone where it names one; None where it is none."""
    bare = " ".join(text.split())
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        plain = NUMERIC_DATE.sub(r"\1/\2/\3", bare, count=1)
    is_year_first = re.match(r"\d{4}/", plain)
    return _by_formats(plain, DATE_FORMATS["ymd" if is_year_first else date_order])


def _by_formats(text: str, dates: Sequence[str]) -> datetime | None:
    for form in (day + time for day in dates for time in TIME_FORMATS):
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - cells have no zone
        except ValueError:
            continue
    return None
