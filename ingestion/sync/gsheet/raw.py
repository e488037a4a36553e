"""A tab's cells, read a second time: by few large ranges, and with a reading of numbers and days that
leaves alone what it does not understand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Model, SourceContext
from ingestion.sync.gsheet import settings as names
from ingestion.sync.gsheet.access import ServiceAccountAuth
from ingestion.sync.gsheet.settings import SheetModel
from ingestion.sync.gsheet.source import _api
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.plain import UNKNOWN
from ingestion.sync.raw.reader import Abilities, RawRecord

ROWS_PER_RANGE = 10_000
HELD = {"valueRenderOption": "UNFORMATTED_VALUE", "dateTimeRenderOption": "SERIAL_NUMBER"}
SHOWN = {"valueRenderOption": "FORMATTED_VALUE"}
DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone
# How a cell shows the number that it holds: as one, or as a day or a time. 31.12.2026 is a day.
PLAIN_NUMBER = re.compile(r"(?!\d+\.\s?\d+\.\s?\d+\.?$)[\d.,\s]+")
DAY_OR_TIME = re.compile(r"[:/]|\d-|[^\W\d_]{3}|^\D*$")
WITH_POINT = frozenset({"en", "zh", "ja", "ko", "th", "he", "hi", "ms"})
TAKEN = (names.KEY, names.SHEET, "_deleted_at")


class RawReader(reader.RawReader):
    """Reads a tab by itself."""

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._auth = ServiceAccountAuth(
            self.settings[names.SERVICE_ACCOUNT], timeout_seconds=context.timeout_seconds
        )
        self._asker = Asker(_api(self.settings, self._auth), context)

    def close(self) -> None:
        self._asker.close()
        self._auth.close()

    def abilities(self, model: Model) -> Abilities:
        return Abilities(f"ranges of {ROWS_PER_RANGE} rows, which it counts too")

    def read(self, model: Model) -> Iterator[RawRecord] | None:
        return self._records(cast(SheetModel, model))

    def _records(self, model: SheetModel) -> Iterator[RawRecord]:
        spreadsheet, tab = self.settings[model.spreadsheet], self.settings[model.tab]
        path = f"/v4/spreadsheets/{quote(spreadsheet, safe='')}"
        fields = "properties(locale,timeZone),sheets.properties(title,gridProperties.rowCount)"
        facts = self._asker.get_json(path, {"fields": fields})
        own = facts.get("properties") or {}
        self.zone = self._zone(own)
        has_point = str(own.get("locale") or "en")[:2] in WITH_POINT
        last = next(
            one["properties"]["gridProperties"]["rowCount"]
            for one in facts["sheets"]
            if one["properties"]["title"] == tab
        )
        headers: list[str] = []
        seen: Counter[str] = Counter()
        place = f"{spreadsheet}/{tab}"
        for shown, held in self._rows(path, tab, int(last)):
            if not headers:
                headers = _headers(shown)
                continue
            cells = _cells(headers, shown, held)
            if cells:
                key = _key({name: text for name, (text, _) in cells.items()}, seen)
                sent = {
                    n: _value(model.typed.get(n), *cell, has_point) for n, cell in cells.items()
                }
                yield RawRecord((key,), {**sent, names.SHEET: place})

    def _zone(self, properties: Mapping[str, Any]) -> ZoneInfo:
        named = self.settings[names.TIME_ZONE] or str(properties.get("timeZone") or "UTC")
        return time_zone({names.TIME_ZONE: named}, names.TIME_ZONE)

    def _rows(
        self, path: str, tab: str, last: int
    ) -> Iterator[tuple[Sequence[str], Sequence[object]]]:
        quoted = tab.replace("'", "''")
        for first in range(1, last + 1, ROWS_PER_RANGE):
            end = min(first + ROWS_PER_RANGE - 1, last)
            place = quote(f"'{quoted}'!{first}:{end}", safe="")
            held, shown = (
                (self._asker.get_json(f"{path}/values/{place}", form) or {}).get("values") or []
                for form in (HELD, SHOWN)
            )
            for number in range(max(len(held), len(shown))):
                yield _at(shown, number), _at(held, number)


def _at(rows: Sequence[Any], number: int) -> Sequence[Any]:
    return rows[number] if number < len(rows) else ()


def _headers(cells: Sequence[object]) -> list[str]:
    """Blank ones are numbered, and repeated ones too."""
    found: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = wanted = str(cell).strip() or f"column_{number}"
        copy = 1
        while name in found or name in TAKEN:
            copy += 1
            name = f"{wanted} {copy}"
        found.append(name)
    return found


def _cells(
    headers: Sequence[str], shown: Sequence[object], held: Sequence[object]
) -> dict[str, tuple[str, object]]:
    """Text and value of the filled cells; a text is what is held."""
    found: dict[str, tuple[str, object]] = {}
    for at in range(max(len(shown), len(held))):
        name = headers[at] if at < len(headers) else f"column_{at + 1}"
        value = held[at] if at < len(held) else ""
        text = value if isinstance(value, str) else str(shown[at]) if at < len(shown) else ""
        if text.strip():
            found[name] = (text, value)
    return found


def _key(texts: Mapping[str, str], seen: Counter[str]) -> str:
    """The content; equal rows are counted."""
    content = "".join(f"{name}\x1f{texts[name]}\x1e" for name in sorted(texts))
    digest = blake2b(content.encode(), digest_size=16).hexdigest()
    seen[digest] += 1
    return f"{digest}-{seen[digest]}"


def _value(kind: str | None, text: str, held: object, has_point: bool) -> Any:
    is_number = isinstance(held, int | Decimal) and not isinstance(held, bool)
    if is_number and kind in ("date", "timestamp"):  # 46,023 is a number and no day
        return UNKNOWN if PLAIN_NUMBER.fullmatch(text) else _moment(Decimal(str(held)))
    if is_number and kind in ("decimal", "bigint"):  # 4-Mar, 12:30 and March are no numbers
        return UNKNOWN if DAY_OR_TIME.search(text) else held
    if kind in ("date", "timestamp"):
        return text
    if is_number:  # a text column: as it is shown, or with the digits that a format hides
        return held if not any(c in text for c in "/:-%") else UNKNOWN
    if kind in ("decimal", "bigint") and not has_point:
        return _with_comma(text)
    return text


def _moment(serial: Decimal) -> Any:
    """Days since 1899-12-30."""
    try:
        at = DAY_ZERO + timedelta(milliseconds=round(serial * 86_400_000))
    except OverflowError:
        return UNKNOWN
    return at.isoformat(sep=" ")


def _with_comma(text: str) -> Any:
    """``1.234,56 €`` as 1234.56, where it is clear."""
    digits = "".join(c for c in text if c.isdigit() or c in ",.-")
    whole, _, part = digits.partition(",")
    groups = whole.lstrip("-").split(".")
    is_clear = part.isdigit() and all(len(group) == 3 for group in groups[1:])
    if not is_clear:
        return UNKNOWN
    plain = f"{whole.replace('.', '')}.{part}"
    return f"({plain})" if "(" in text else plain
