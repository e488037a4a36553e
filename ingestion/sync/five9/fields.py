"""Types the texts that Five9 sends: every value comes as text, or empty.

A field tells its type and, by its restrictions, how its dates and times are written, in the
letters of Java's SimpleDateFormat. A text that does not follow them is passed on as it is; the
common pipeline keeps it beside the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from hashlib import blake2b
from typing import Any

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Columns, Record
from ingestion.sync.five9.engines.admin import ID_FIELD, Contact, ContactField
from ingestion.sync.http.amounts import amount

KEY = "contact_key"
# What tells contacts apart where there is no id.
IDENTITY = ("number1", "number2", "number3", "first_name", "last_name")

_TYPES: Mapping[str, str] = {
    "NUMBER": "decimal",
    "CURRENCY": "decimal",
    "PERCENT": "decimal",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIME": "time",
    "DATE_TIME": "timestamp",
}
# Letters of Java's patterns, by which strptime reads the same.
_DIRECTIVES: Mapping[str, str] = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%m",
    "dd": "%d",
    "d": "%d",
    "EEEE": "%A",
    "EEE": "%a",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "mm": "%M",
    "m": "%M",
    "ss": "%S",
    "s": "%S",
    "SSS": "%f",
    "a": "%p",
    "Z": "%z",
    "XXX": "%z",
}
_PATTERN_PART = re.compile(r"'([^']*)'|([A-Za-z])\2*|.", re.DOTALL)
# "2026-01-09 16:40:02.000 GMT0" is UTC, whatever the domain's zone.
_GMT = re.compile(r"\s*GMT0?$")


def strptime_format(pattern: str) -> str:
    """``yyyy-MM-dd`` gives ``%Y-%m-%d``. Raises ValueError for letters that are not known."""

    def directive(part: re.Match[str]) -> str:
        if part[1] is not None:
            return (part[1] or "'").replace("%", "%%")
        if part[2] is None:
            return part[0].replace("%", "%%")
        if part[0] not in _DIRECTIVES:
            raise ValueError(part[0])
        return _DIRECTIVES[part[0]]

    return _PATTERN_PART.sub(directive, pattern)


@dataclass(frozen=True)
class Formats:
    """``zone``: that of the domain; ``date``, ``time``: for fields without their own."""

    zone: tzinfo
    date: str = "yyyy-MM-dd"
    time: str = "HH:mm:ss.SSS"

    def check(self) -> None:
        """Raises PermanentError that names the setting."""
        for name, pattern in (("FIVE9_DATE_FORMAT", self.date), ("FIVE9_TIME_FORMAT", self.time)):
            try:
                strptime_format(pattern)
            except ValueError as unknown:
                raise PermanentError(
                    f"{name} is {pattern!r}; {unknown} in it is not known, write it like"
                    " yyyy-MM-dd or HH:mm:ss.SSS."
                ) from None


def columns_of(fields: Iterable[ContactField]) -> Columns:
    """By name, so that the order in which Five9 tells them decides nothing."""
    known = {f.name: _column_type(f) for f in sorted(fields, key=lambda f: f.name)}
    return {KEY: "text", ID_FIELD: "text"} | known


def record_of(contact: Contact, readers: Mapping[str, Callable[[str], Any]]) -> Record:
    record: Record = {
        name: readers[name](text) if text and name in readers else text or None
        for name, text in contact.items()
    }
    return record | {KEY: key_of(contact)}


def key_of(contact: Contact) -> str:
    """Five9's id, or a checksum of what tells contacts apart where the domain gives none."""
    if found := contact.get(ID_FIELD):
        return found
    identity = "\x1f".join(contact.get(name) or "" for name in IDENTITY)
    return "h" + blake2b(identity.encode(), digest_size=16).hexdigest()


def readers_of(
    fields: Iterable[ContactField], formats: Formats
) -> Mapping[str, Callable[[str], Any]]:
    """What reads the text of each field that is more than text."""
    return {f.name: reader for f in fields if (reader := _reader(f, formats))}


def _column_type(field: ContactField) -> str:
    if field.type == "NUMBER" and field.restrictions.get("Scale") == "0":
        return "bigint"
    return _TYPES.get(field.type, "text")


def _reader(field: ContactField, formats: Formats) -> Callable[[str], Any] | None:
    dates = _known_format(field.restrictions.get("DateFormat"), formats.date)
    times = _known_format(field.restrictions.get("TimeFormat"), formats.time)
    match field.type:
        case "DATE":
            return lambda text: _read(text, (dates,), date.fromisoformat, datetime.date)
        case "TIME":
            return lambda text: _read(text, (times,), time.fromisoformat, datetime.time)
        case "DATE_TIME":
            return lambda text: _moment(text, f"{dates} {times}", formats.zone)
        case "CURRENCY" | "PERCENT" | "NUMBER":
            return _amount
    return None


def _known_format(pattern: str | None, default: str) -> str:
    """A pattern that is not understood gives way to the default, and ISO is always read."""
    try:
        return strptime_format(pattern or default)
    except ValueError:
        return strptime_format(default)


def _read(
    text: str,
    formats: Iterable[str],
    from_iso: Callable[[str], Any],
    part: Callable[[datetime], Any],
) -> Any:
    for known in formats:
        try:
            return part(datetime.strptime(text.strip(), known))  # noqa: DTZ007 - the caller's zone
        except ValueError:
            continue
    try:
        return from_iso(text.strip())
    except ValueError:
        return text


def _moment(text: str, known: str, zone: tzinfo) -> Any:
    """Aware, in UTC; the text itself where it cannot be read."""
    bare, is_gmt = _GMT.subn("", text)
    found = _read(bare, (known,), datetime.fromisoformat, lambda moment: moment)
    if not isinstance(found, datetime):
        return text
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC if is_gmt else zone)
    try:
        return found.astimezone(UTC)
    except OverflowError:  # 9999-12-31 west of Greenwich, 0001-01-01 east of it
        return text


def _amount(text: str) -> Any:
    """``$1,234.50`` and ``12.5%`` as numbers."""
    found = amount(text.strip().removesuffix("%"))
    return text if found is None else found
