"""Reads tabs of spreadsheets by row ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Scope, SourceContext, Window
from ingestion.sync.gsheet import settings as names
from ingestion.sync.gsheet.access import ServiceAccountAuth
from ingestion.sync.gsheet.cells import Reader, headers_of
from ingestion.sync.gsheet.locale import SheetLocale
from ingestion.sync.gsheet.settings import SheetModel
from ingestion.sync.gsheet.tab import Tab
from ingestion.sync.http.client import HttpApi, HttpClient

ROWS_PER_RANGE = 1000
PROBED = 5


class Source:
    """Keeps the CrmSource contract for Google Sheets."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._auth = ServiceAccountAuth(
            context.settings[names.SERVICE_ACCOUNT], timeout_seconds=context.timeout_seconds
        )
        self._http = HttpClient(_api(context.settings, self._auth), context)

    def columns(self, model: Model) -> Columns:
        """Types of the columns that the tab has today; the others are text."""
        sheet = cast(SheetModel, model)
        headers = headers_of(self._tab(sheet).header())
        own = {names.KEY: "text", names.SHEET: "text"}
        return {**own, **{name: sheet.typed.get(name, "text") for name in headers}}

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """Every row: nothing tells that a sheet has not changed. Rows have no ids, so a changed
        row is a new one: what is not seen any more has gone."""
        size = min(batch_size or ROWS_PER_RANGE, ROWS_PER_RANGE)
        yield from self._pages(cast(SheetModel, model), size, most_rows=None)

    def probe(self, model: Model) -> Page | None:
        """The first rows, empty or not."""
        pages = self._pages(cast(SheetModel, model), PROBED + 1, most_rows=PROBED + 1)
        return next(pages, Page(()))

    def close(self) -> None:
        self._http.close()
        self._auth.close()

    def _pages(self, sheet: SheetModel, size: int, *, most_rows: int | None) -> Iterator[Page]:
        tab = self._tab(sheet)
        properties, last = tab.facts()
        locale = SheetLocale.of(properties, self._settings)
        place = f"{tab.spreadsheet}/{tab.name}"
        reader = Reader(place, (), sheet.typed, locale)
        scope = Scope((names.SHEET,), frozenset({(place,)}))
        for first, rows in tab.passes(min(last, most_rows or last), size):
            if first == 1:  # a pass begins, with the header
                headers = headers_of(tab.checked_header([row.shown for row in rows[:1]]))
                reader, rows = Reader(place, headers, sheet.typed, locale), rows[1:]
            if records := reader.records(rows):
                yield Page(records, scope)

    def _tab(self, sheet: SheetModel) -> Tab:
        spreadsheet, name = self._settings[sheet.spreadsheet], self._settings[sheet.tab]
        return Tab(self._http, spreadsheet, name, sheet.tab)


def _api(settings: Mapping[str, str], auth: ServiceAccountAuth) -> HttpApi:
    return HttpApi(
        title="Google Sheets",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=auth,
        rates=(Rate("gsheet", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.SERVICE_ACCOUNT,),
    )
