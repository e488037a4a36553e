"""Reads tabs of spreadsheets by row ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import cast

from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Record, Scope, SourceContext, Window
from ingestion.sync.gsheet import settings as names
from ingestion.sync.gsheet.access import ServiceAccountAuth
from ingestion.sync.gsheet.cells import Reader, headers_of
from ingestion.sync.gsheet.locale import SheetLocale
from ingestion.sync.gsheet.settings import SheetModel
from ingestion.sync.gsheet.tab import Tab
from ingestion.sync.http.client import HttpApi, HttpClient

ROWS_PER_RANGE = 2000
PROBED = 5
MOST_PASSES = 5


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
        yield from self._pages(cast(SheetModel, model), size)

    def probe(self, model: Model) -> Page | None:
        """The first rows, empty or not."""
        sheet = cast(SheetModel, model)
        tab = self._tab(sheet)
        properties, last = tab.facts()
        locale = SheetLocale.of(properties, self._settings)
        return Page(next(_records(tab, sheet, locale, min(last, PROBED + 1), PROBED + 1), []))

    def close(self) -> None:
        self._http.close()
        self._auth.close()

    def _pages(self, sheet: SheetModel, size: int) -> Iterator[Page]:
        """Reads until two passes agree, and yields what the pass before did not have. Ranges are of
        different moments, so a row may move from one that is still to be read into one that was read:
        both look whole, and it is in neither. A tab of one range is of one moment, unless its end
        has moved."""
        tab = self._tab(sheet)
        scope = Scope((names.SHEET,), frozenset({(_place(tab),)}))
        before: dict[int, bytes] = {}
        for _ in range(MOST_PASSES):
            properties, last = tab.facts()
            locale = SheetLocale.of(properties, self._settings)
            found: dict[int, bytes] = {}
            for number, records in enumerate(_records(tab, sheet, locale, last, size)):
                found[number] = blake2b(repr(records).encode()).digest()
                if records and found[number] != before.get(number):
                    yield Page(records, scope)
            if found == before or (last <= size and tab.facts()[1] == last):
                return
            before = found
        yield Page((), scope, unread=tab.unrest(MOST_PASSES))

    def _tab(self, sheet: SheetModel) -> Tab:
        spreadsheet, name = self._settings[sheet.spreadsheet], self._settings[sheet.tab]
        return Tab(self._http, spreadsheet, name, sheet.tab)


def _records(
    tab: Tab, sheet: SheetModel, locale: SheetLocale, last: int, size: int
) -> Iterator[list[Record]]:
    """The records of each range; the first begins with the header's row."""
    reader = Reader(_place(tab), (), sheet.typed, locale)
    for first, rows in tab.ranges(last, size):
        if first == 1:
            headers = headers_of(tab.checked_header([row.shown for row in rows[:1]]))
            reader = Reader(_place(tab), headers, sheet.typed, locale)
        yield reader.records(rows[first == 1 :])


def _place(tab: Tab) -> str:
    return f"{tab.spreadsheet}/{tab.name}"


def _api(settings: Mapping[str, str], auth: ServiceAccountAuth) -> HttpApi:
    return HttpApi(
        title="Google Sheets",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=auth,
        rates=(Rate("gsheet", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.SERVICE_ACCOUNT,),
    )
