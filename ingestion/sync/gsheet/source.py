"""Reads tabs of spreadsheets by row ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.http import HttpApi, HttpClient
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int, time_zone
from ingestion.sync.common.source import (
    Columns,
    Model,
    Page,
    Scope,
    SourceContext,
    Window,
)
from ingestion.sync.gsheet import settings as names
from ingestion.sync.gsheet.access import ServiceAccountAuth
from ingestion.sync.gsheet.cells import DATE_FORMATS, Cells, Reader, headers_of
from ingestion.sync.gsheet.settings import SheetModel

ROWS_PER_RANGE = 1000
# In a range as Google writes it: Leads!A2:Q1001, or 'My tab'!2:1001.
FIRST_ROW = re.compile(r"![A-Z]*(\d+)(?::[A-Z]*\d+)?$")
PROBED = 5


class Source:
    """Keeps the CrmSource contract for Google Sheets."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._auth = ServiceAccountAuth(
            context.settings[names.SERVICE_ACCOUNT], timeout_seconds=context.timeout_seconds
        )
        self._sheets = HttpClient(_api(context.settings, names.BASE_URL, self._auth), context)
        self._drive = HttpClient(_api(context.settings, names.DRIVE_URL, self._auth), context)

    def columns(self, model: Model) -> Columns:
        """Types of the columns that the tab has today; the others are text."""
        sheet = cast(SheetModel, model)
        own = {names.KEY: "text", names.SHEET: "text"}
        return {**own, **{name: sheet.typed.get(name, "text") for name in self._headers(sheet)}}

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """Every row, unless Drive says that nothing has changed since the last run. Rows have no
        ids, so a changed row is a new one: what is not seen any more has gone."""
        sheet = cast(SheetModel, model)
        if isinstance(window.since, datetime) and not self._changed_since(sheet, window.since):
            return
        reader = self._reader(sheet)
        scope = Scope((names.SHEET,), frozenset({(reader.sheet,)}))
        for cells in self._rows(sheet, min(batch_size or ROWS_PER_RANGE, ROWS_PER_RANGE)):
            if records := reader.records(cells):
                yield Page(records, scope)

    def probe(self, model: Model) -> Page | None:
        """The first rows, empty or not, and what Drive says about the file."""
        sheet = cast(SheetModel, model)
        self._changed_since(sheet, datetime.now(UTC))
        return Page(self._reader(sheet).records(next(self._rows(sheet, PROBED), [])))

    def close(self) -> None:
        self._sheets.close()
        self._drive.close()
        self._auth.close()

    def _reader(self, sheet: SheetModel) -> Reader:
        order = self._settings[names.DATE_ORDER]
        if order not in DATE_FORMATS:
            raise PermanentError(f"{names.DATE_ORDER} is {order!r}; it must be mdy or dmy.")
        return Reader(
            sheet=f"{self._spreadsheet(sheet)}/{self._tab(sheet)}",
            headers=self._headers(sheet),
            typed=sheet.typed,
            zone=time_zone(self._settings, names.TIME_ZONE),
            date_order=order,
        )

    def _changed_since(self, sheet: SheetModel, since: datetime) -> bool:
        path = f"/drive/v3/files/{quote(self._spreadsheet(sheet), safe='')}"
        answer = self._drive.get(path, {"fields": "id,name,modifiedTime"}).object()
        return datetime.fromisoformat(str(answer["modifiedTime"])) >= since

    def _headers(self, sheet: SheetModel) -> list[str]:
        rows = self._range(sheet, 1, 1)
        if not rows:
            raise PermanentError(
                f"Google Sheets' tab {self._tab(sheet)!r} has no header row; "
                f"write the column names into its first row, or set {sheet.tab}."
            )
        return headers_of(rows[0])

    def _rows(self, sheet: SheetModel, per_range: int) -> Iterator[list[Cells]]:
        """A gap of empty rows is no end: only the grid's size tells where a tab ends."""
        last = self._row_count(sheet)
        for first in range(2, last + 1, per_range):
            yield self._range(sheet, first, min(first + per_range - 1, last))

    def _range(self, sheet: SheetModel, first: int, last: int) -> list[Cells]:
        """The cells of some rows; empty rows and cells at their end are left out. Raises
        PermanentError for the cells of other rows."""
        tab = self._tab(sheet).replace("'", "''")
        spreadsheet = quote(self._spreadsheet(sheet), safe="")
        place = quote(f"'{tab}'!{first}:{last}", safe="")
        answer = self._sheets.get(f"/v4/spreadsheets/{spreadsheet}/values/{place}")
        cells = answer.object()
        told = FIRST_ROW.search(str(cells.get("range", "")))
        if told and int(told[1]) != first:
            raise PermanentError(
                f"{answer.label} answers with other rows, {cells['range']}: it seems to ignore the"
                " range that is asked for."
            )
        return list(cells.get("values") or [])

    def _row_count(self, sheet: SheetModel) -> int:
        spreadsheet = quote(self._spreadsheet(sheet), safe="")
        fields = "sheets.properties(title,gridProperties.rowCount)"
        answer = self._sheets.get(f"/v4/spreadsheets/{spreadsheet}", {"fields": fields}).object()
        tabs: list[Mapping[str, Any]] = [tab["properties"] for tab in answer.get("sheets", [])]
        for tab in tabs:
            if tab["title"] == self._tab(sheet):
                return int(tab["gridProperties"]["rowCount"])
        known = ", ".join(repr(tab["title"]) for tab in tabs)
        raise PermanentError(
            f"Google Sheets has no tab {self._tab(sheet)!r} there; set {sheet.tab} to one of {known}."
        )

    def _spreadsheet(self, sheet: SheetModel) -> str:
        return self._settings[sheet.spreadsheet]

    def _tab(self, sheet: SheetModel) -> str:
        return self._settings[sheet.tab]


def _api(settings: Mapping[str, str], base_url: str, auth: ServiceAccountAuth) -> HttpApi:
    return HttpApi(
        title="Google Sheets",
        base_url=settings[base_url].rstrip("/"),
        auth=auth,
        rates=(Rate("gsheet", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.SERVICE_ACCOUNT,),
    )
