"""Reads one tab by row ranges, as people see it and as it is held."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.gsheet.cells import Cells, Row
from ingestion.sync.http.client import HttpClient

MOST_ATTEMPTS = 5
# In a range as Google writes it: Leads!A2:Q1001, or 'My tab'!2:1001.
FIRST_ROW = re.compile(r"![A-Z]*(\d+)(?::[A-Z]*\d+)?$")
SHOWN: Mapping[str, str] = {"valueRenderOption": "FORMATTED_VALUE"}
HELD: Mapping[str, str] = {
    "valueRenderOption": "UNFORMATTED_VALUE",
    "dateTimeRenderOption": "SERIAL_NUMBER",
}


@dataclass(frozen=True)
class Tab:
    """``setting``: the name of the setting that names the tab, for messages."""

    http: HttpClient
    spreadsheet: str
    name: str
    setting: str

    def facts(self) -> tuple[Mapping[str, Any], int]:
        """The spreadsheet's properties, and how many rows the tab's grid has. Raises PermanentError
        where there is no such tab."""
        fields = "properties(locale,timeZone),sheets.properties(title,gridProperties.rowCount)"
        answer = self.http.get(self._path(), {"fields": fields}).object()
        tabs: list[Mapping[str, Any]] = [tab["properties"] for tab in answer.get("sheets", [])]
        for tab in tabs:
            if tab["title"] == self.name:
                return answer.get("properties") or {}, int(tab["gridProperties"]["rowCount"])
        known = ", ".join(repr(tab["title"]) for tab in tabs)
        raise PermanentError(
            f"Google Sheets has no tab {self.name!r} there; set {self.setting} to one of {known}."
        )

    def header(self) -> Cells:
        """Raises PermanentError where the first row is empty."""
        return self.checked_header(self._cells(1, 1, SHOWN))

    def checked_header(self, rows: Sequence[Cells]) -> Cells:
        """The first of the rows. Raises PermanentError where it is empty."""
        if rows and any(str(cell).strip() for cell in rows[0]):
            return rows[0]
        raise PermanentError(
            f"Google Sheets' tab {self.name!r} has no header row; "
            f"write the column names into its first row, or set {self.setting}."
        )

    def ranges(self, last: int, size: int) -> Iterator[tuple[int, list[Row]]]:
        """The rows from the first to ``last``, range by range, each with its first row's number; some
        ranges are asked for at once. A gap of empty rows is no end: only the grid's size tells where
        a tab ends."""
        firsts = range(1, last + 1, size)
        calls = [partial(self.rows, first, min(first + size - 1, last)) for first in firsts]
        with closing(self.http.several(calls)) as found:
            yield from zip(firsts, found, strict=True)

    def rows(self, first: int, last: int) -> list[Row]:
        """Rows of both renderings, empty ones too. Raises TransientError where these never fit."""
        before = None
        for _ in range(MOST_ATTEMPTS):
            shown, held = self._both(first, last)
            # A text is the same in both, unless somebody wrote between the two requests, or a number
            # format such as @" kg" adds to it: that stays the same when both are asked for again.
            if not _texts_differ(shown, held) or (shown, held) == before:
                pairs = zip(_padded(shown, held), _padded(held, shown), strict=True)
                rows = [_row(s, h) for s, h in pairs]
                return rows + [Row((), ())] * (last - first + 1 - len(rows))
            before = (shown, held)
        raise TransientError(self.unrest(MOST_ATTEMPTS))

    def unrest(self, times: int) -> str:
        """The sentence about a tab that was changed each time that it was read."""
        return (
            f"Google Sheets' tab {self.name!r} was changed each of the {times} times that it was read,"
            " so rows may have been missed; the next run reads it again."
        )

    def _both(self, first: int, last: int) -> tuple[list[Cells], list[Cells]]:
        held = self._cells(first, last, HELD)
        if all(isinstance(cell, str) for cells in held for cell in cells):
            return held, held
        return self._cells(first, last, SHOWN), held

    def _cells(self, first: int, last: int, rendering: Mapping[str, str]) -> list[Cells]:
        """The cells of some rows; empty rows and cells at their end are left out. Raises
        PermanentError for the cells of other rows."""
        tab = self.name.replace("'", "''")
        place = quote(f"'{tab}'!{first}:{last}", safe="")
        answer = self.http.get(f"{self._path()}/values/{place}", rendering)
        cells = answer.object()
        told = FIRST_ROW.search(str(cells.get("range", "")))
        if told and int(told[1]) != first:
            raise PermanentError(
                f"{answer.label} answers with other rows, {cells['range']}: it seems to ignore the"
                " range that is asked for."
            )
        return list(cells.get("values") or [])

    def _path(self) -> str:
        return f"/v4/spreadsheets/{quote(self.spreadsheet, safe='')}"


def _padded(cells: Sequence[Cells], other: Sequence[Cells]) -> Sequence[Cells]:
    return [*cells, *[()] * (len(other) - len(cells))]


def _texts_differ(shown: Sequence[Cells], held: Sequence[Cells]) -> bool:
    rows = zip(_padded(shown, held), _padded(held, shown), strict=True)
    return any(
        isinstance(h, str) and h != s
        for one, other in rows
        for s, h in zip(*_widened(one, other), strict=True)
    )


def _row(shown: Cells, held: Cells) -> Row:
    one, other = _widened(shown, held)
    return Row(
        [str(h if isinstance(h, str) else s) for s, h in zip(one, other, strict=True)], other
    )


def _widened(one: Cells, other: Cells) -> tuple[Cells, Cells]:
    width = max(len(one), len(other))
    return _wide(one, width), _wide(other, width)


def _wide(cells: Cells, width: int) -> Cells:
    return [*cells, *[""] * (width - len(cells))]
