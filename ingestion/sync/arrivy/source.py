"""Reads Arrivy's lists: bare arrays, and nothing in them that tells of a next page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from ingestion.sync.arrivy import settings as names
from ingestion.sync.arrivy.settings import ArrivyModel
from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.http import HttpApi, HttpClient
from ingestion.sync.common.pagination import require_whole
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window

ITEMS_PER_PAGE = 500  # the documented default of tasks; a larger page is not known to be heeded
PROBED = 5
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
        arrivy = cast(ArrivyModel, model)
        items = min(batch_size or ITEMS_PER_PAGE, ITEMS_PER_PAGE)
        queries = self._queries(window) if arrivy.scheduled else iter([{}])
        for query in queries:
            yield from self._list(arrivy.path, {**query, "items_per_page": items})

    def probe(self, model: Model) -> Page | None:
        """Tasks: of the present part of the schedule; its first years may be empty for long."""
        if not cast(ArrivyModel, model).scheduled:
            return None
        return next(self.pages(model, Window(since=datetime.now(UTC)), batch_size=PROBED), Page(()))

    def close(self) -> None:
        self._http.close()

    def _list(self, path: str, params: Mapping[str, Any]) -> Iterator[Page]:
        """Ends at an empty page, and at one without anything new: a list that ignores ``page``
        sends the same records for ever."""
        seen: set[Any] = set()
        page = 1
        while True:
            rows = self._page(path, params, page)
            new = [row for row in rows if row.get("id") not in seen]
            if not new:
                self._check_end(path, params, rows)
                return
            seen.update(row.get("id") for row in new)
            yield Page(new)
            page += 1

    def _page(self, path: str, params: Mapping[str, Any], page: int) -> list[Record]:
        return _rows(self._http.get(path, {**params, "page": page}).data, path)

    def _check_end(self, path: str, params: Mapping[str, Any], rows: list[Record]) -> None:
        require_whole(
            f"Arrivy GET {path}",
            len(rows),
            size=params["items_per_page"],
            ask=lambda size: len(self._page(path, {**params, "items_per_page": size}, 1)),
        )

    def _queries(self, window: Window) -> Iterator[Mapping[str, Any]]:
        first, last = self._span(window)
        step = timedelta(days=positive_int(self._settings, names.SLICE_DAYS))
        while first < last:
            until = min(first + step, last)
            yield {"from": _moment(first), "to": _moment(until)}
            first = until
        yield from UNPLACED

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
