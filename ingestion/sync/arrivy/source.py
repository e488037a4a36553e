"""Reads Arrivy's lists: bare arrays, and nothing in them that tells of a next page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, cast

from ingestion.sync.arrivy import settings as names
from ingestion.sync.arrivy.settings import ArrivyModel
from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.overlap import OverlappingPages, Place, Rows

ITEMS_PER_PAGE = 500  # the documented default of tasks; a larger page is not known to be heeded
PROBED = 5
# Wide queries were seen to be cut without a word at about this many tasks.
CUT_AT, ALMOST_CUT = 1000, 900
SHORTEST_SLICE = timedelta(days=1)
# Few tasks are planned for later than the slices go, so one query asks for all of them.
FAR_AHEAD = timedelta(days=20 * 365)
# Tasks without a place in the schedule come only when asked for, and only by themselves.
UNPLACED: tuple[Mapping[str, Any], ...] = (
    {"unscheduled": "true"},
    {"tasks_with_no_datetime": "true"},
)


class Source:
    """Keeps the CrmSource contract for Arrivy."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._http = HttpClient(_api(context.settings), context)

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """Tasks: slice by slice of the schedule, then those without a place in it. The others
        whole, because their lists know no filter."""
        path, scheduled = cast(ArrivyModel, model).path, cast(ArrivyModel, model).scheduled
        items = min(batch_size or ITEMS_PER_PAGE, ITEMS_PER_PAGE)
        if not scheduled:
            yield from self._list(path, {}, items)
            return
        slices = (
            partial(self._whole_slice, path, first, last, items)
            for first, last in self._slices(window)
        )
        with closing(self._http.several(slices)) as found:
            for pages in found:
                yield from pages
        for query in UNPLACED:
            yield from self._list(path, query, items)

    def probe(self, model: Model) -> Page | None:
        """Tasks: of the present part of the schedule; its first years may be empty for long."""
        if not cast(ArrivyModel, model).scheduled:
            return None
        path = cast(ArrivyModel, model).path
        slices = self._slices(Window(since=datetime.now(UTC)))
        pages = (page for first, last in slices for page in self._slice(path, first, last, PROBED))
        return next(pages, Page(()))

    def close(self) -> None:
        self._http.close()

    def _whole_slice(self, path: str, first: datetime, last: datetime, items: int) -> list[Page]:
        return list(self._slice(path, first, last, items))

    def _slice(self, path: str, first: datetime, last: datetime, items: int) -> Iterator[Page]:
        """The tasks of a part of the schedule. One with so many that a query may have been cut is
        read again in halves."""
        count = 0
        for page in self._list(path, {"from": _moment(first), "to": _moment(last)}, items):
            yield page
            count += len(page.records)
            if count >= ALMOST_CUT and last - first > SHORTEST_SLICE:
                middle = first + (last - first) / 2
                yield from self._slice(path, first, middle, items)
                yield from self._slice(path, middle, last, items)
                return
        if count == CUT_AT:
            yield Page(
                (),
                unread=f"Arrivy GET {path} gave {count} tasks for {first:%Y-%m-%d %H:%M}, as where it"
                " cuts a query off, so there may be more",
            )

    def _list(self, path: str, params: Mapping[str, Any], items: int) -> Iterator[Page]:
        """Nothing tells of a next page; some lists ignore ``page`` and come whole."""
        reading = OverlappingPages(
            f"Arrivy GET {path}",
            lambda place: Rows(self._page(path, params, place)),
            items,
            may_be_whole=True,
        )
        return reading.pages()

    def _page(self, path: str, params: Mapping[str, Any], place: Place) -> list[Record]:
        query = {**params, "items_per_page": place.size, "page": place.page}
        return _rows(self._http.get(path, query).data, path)

    def _slices(self, window: Window) -> Iterator[tuple[datetime, datetime]]:
        first, last = self._span(window)
        step = timedelta(days=positive_int(self._settings, names.SLICE_DAYS))
        while first < last:
            until = min(first + step, last)
            yield first, until
            first = until
        if window.until is None:
            yield first, first + FAR_AHEAD

    def _span(self, window: Window) -> tuple[datetime, datetime]:
        """The part of the schedule to read. ``since`` bounds when the last run began, not the
        schedule: a delta goes ``DAYS_BACK`` further, because tasks of the past are still edited."""
        now = datetime.now(UTC)
        ahead = now + timedelta(days=positive_int(self._settings, names.DAYS_AHEAD))
        if window.is_full or not isinstance(window.since, datetime):
            return self._history_start(), window.until or ahead
        back = timedelta(days=positive_int(self._settings, names.DAYS_BACK))
        return window.since - back, window.until or ahead

    def _history_start(self) -> datetime:
        text = self._settings[names.HISTORY_START]
        try:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        except ValueError:
            raise PermanentError(
                f"{names.HISTORY_START} is {text!r}; it must be a day such as 2015-01-01."
            ) from None


def _api(settings: Mapping[str, str]) -> HttpApi:
    key, token = settings[names.AUTH_KEY], settings[names.AUTH_TOKEN]
    return HttpApi(
        title="Arrivy",
        base_url=settings[names.BASE_URL].rstrip("/"),
        headers={"X-Auth-Key": key, "X-Auth-Token": token},
        rates=(Rate("arrivy", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.AUTH_KEY, names.AUTH_TOKEN),
        secrets=(key, token),
    )


def _rows(data: Any, path: str) -> list[Record]:
    """A bare array; an object with ``results`` was seen too."""
    found = data.get("results") if isinstance(data, dict) else data
    if not isinstance(found, list):
        raise PermanentError(f"Arrivy GET {path} did not answer with a list.")
    return found


def _moment(when: datetime) -> str:
    return when.replace(microsecond=0).isoformat()
