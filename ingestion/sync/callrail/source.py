"""Reads CallRail's lists; call tags and webhooks are made of other lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from ingestion.sync.callrail import rows
from ingestion.sync.callrail import settings as names
from ingestion.sync.callrail.settings import CallRailModel
from ingestion.sync.common.errors import NotAllowed, PermanentError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import (
    Columns,
    Model,
    Page,
    Record,
    Scope,
    SourceContext,
    Window,
)
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.overlap import OverlappingPages, Place, Rows, by_row
from ingestion.sync.http.pagination import LinkedPages

MAX_PER_PAGE = 250
PROBED = 5
NOT_FOUND = 404
# 25 months, and a day less: a range that begins before them is an error, not an empty page.
RETENTION = timedelta(days=759)


class OtherOffsets(Exception):
    """The links to next pages do not count rows."""


class NotThere(Exception):
    """CallRail knows no such list, as of a company that has gone."""


class Source:
    """Keeps the CrmSource contract for CallRail."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._http = HttpClient(_api(context.settings), context)
        self._account = f"/a/{context.settings[names.ACCOUNT_ID]}"

    def adapted(self, model: Model) -> Model:
        """The overlap of calls is a setting."""
        if model.incremental != "cursor":
            return model
        days = positive_int(self._settings, names.REREAD_DAYS)
        return replace(model, overlap_seconds=timedelta(days=days).total_seconds())

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        callrail = cast(CallRailModel, model)
        per_page = min(batch_size or MAX_PER_PAGE, MAX_PER_PAGE)
        match callrail.array:
            case "calls":
                yield from self._calls(callrail, window, per_page)
            case "integrations":
                yield from self._integrations(callrail, per_page)
            case _:
                yield from self._list(callrail.array, per_page)

    def probe(self, model: Model) -> Page | None:
        """Integrations: of the first company; any number of companies may have none."""
        callrail = cast(CallRailModel, model)
        if callrail.array != "integrations":
            return None
        for company in next(self._list("companies", 1)).records:
            params = {"company_id": company["id"]}
            found = next(self._list("integrations", PROBED, params)).records
            return Page(_parts([rows.of_company(x, company["id"]) for x in found], callrail))
        return Page(())

    def close(self) -> None:
        self._http.close()

    def _calls(self, model: CallRailModel, window: Window, per_page: int) -> Iterator[Page]:
        """Calls of whole days. The days between the first and the last are read completely, so
        what is not seen of them any more has gone; those two are cut by time zones."""
        first, last = self._days(window)
        if gap := _gap(window, first):
            yield Page((), unread=gap)
        params = {
            "relative_pagination": "true",
            # The oldest first: a new call moves no other.
            "sort": "start_time",
            "order": "asc",
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
            "fields": names.CALL_FIELDS,
        }
        is_proven = True
        for page, is_overlapping in self._pages_of_calls(params, per_page):
            is_proven = is_proven and is_overlapping and not page.unread
            yield replace(page, records=_parts(page.records, model))
        if not is_proven:
            return
        whole = frozenset((day,) for day in _days_between(first, last))
        yield Page([], Scope((names.CALL_DAY,), whole))

    def _pages_of_calls(
        self, params: Mapping[str, Any], per_page: int
    ) -> Iterator[tuple[Page, bool]]:
        """By ``offset``, which is the number of a row as far as is known, so that pages overlap,
        which is told with each. Where the link to the next page tells another one, by these links."""
        path = f"{self._account}/calls.json"
        label = f"CallRail GET {path}"

        def ask(place: Place) -> Rows:
            answer = self._http.get(path, {**params, "per_page": place.size, "offset": place.start})
            found, link = answer.records("calls"), answer.object().get("next_page")
            if link and not place.start and _offset_in(link) != len(found):
                raise OtherOffsets
            return Rows(found, has_more=bool(link))

        try:
            for page in OverlappingPages(label, ask, per_page, by_row).pages():
                yield page, True
        except OtherOffsets:
            linked, query = LinkedPages("next_page"), {**params, "per_page": per_page, "offset": 0}
            for calls in self._http.paginate(path, linked, records="calls", params=query):
                yield Page(calls), False

    def _days(self, window: Window) -> tuple[date, date]:
        """Raises PermanentError for a window that begins before what CallRail keeps."""
        now = datetime.now(UTC)
        oldest = (now - RETENTION).date()
        last = (window.until or now + timedelta(days=1)).date()
        if not isinstance(window.since, datetime):
            return oldest, last
        first = window.since.date() - timedelta(days=1)
        if first < oldest and last <= oldest:
            raise PermanentError(
                f"CallRail keeps calls for 25 months; ask for days from {oldest} on."
            )
        return max(first, oldest), last

    def _integrations(self, model: CallRailModel, per_page: int) -> Iterator[Page]:
        """Company by company: what is not seen of one has gone. One that may not be read, or is not
        there any more, costs itself alone."""
        with closing(self._http.several(self._calls_of_companies(model, per_page))) as found:
            for pages in found:
                yield from pages

    def _calls_of_companies(
        self, model: CallRailModel, per_page: int
    ) -> Iterator[Callable[[], list[Page]]]:
        for companies in self._list("companies", per_page):
            if companies.unread:
                yield partial(list, [companies])
            for company in companies.records:
                yield partial(self._of_company, model, company, per_page)

    def _of_company(self, model: CallRailModel, company: Record, per_page: int) -> list[Page]:
        owner, read = company["id"], list[Page]()
        name = company.get("name") or owner
        try:
            of_owner = {"company_id": owner}
            for page in self._list("integrations", per_page, of_owner, accept=(NOT_FOUND,)):
                found = [rows.of_company(x, owner) for x in page.records]
                read.append(replace(page, records=_parts(found, model)))
        except (NotAllowed, NotThere) as problem:
            return [*read, Page((), unread=f"the integrations of company {name}: {problem}")]
        if any(page.unread for page in read):
            return read
        return [*read, Page((), Scope(("company_id",), frozenset({(owner,)})))]

    def _list(
        self,
        array: str,
        per_page: int,
        params: Mapping[str, Any] | None = None,
        *,
        accept: tuple[int, ...] = (),
    ) -> Iterator[Page]:
        """By page number. Some lists do not tell how many pages there are: those end at a page
        that is not full. Raises NotThere for an accepted 404."""
        path = f"{self._account}/{array}.json"

        def ask(place: Place) -> Rows:
            query = {**(params or {}), "page": place.page, "per_page": place.size}
            answer = self._http.get(path, query, accept=accept)
            if answer.status == NOT_FOUND:
                raise NotThere(f"CallRail GET {path} does not exist (404)")
            found, total = answer.records(array), answer.object().get("total_pages")
            is_last = len(found) < place.size if total is None else place.page >= int(total)
            return Rows(found, has_more=not is_last)

        return OverlappingPages(f"CallRail GET {path}", ask, per_page).pages()


def _offset_in(link: str) -> int | None:
    told = parse_qs(urlsplit(link).query).get("offset", [""])[0]
    return int(told) if told.isascii() and told.isdigit() else None


def _gap(window: Window, first: date) -> str | None:
    """What has been lost: days since the last run that are older than what is kept."""
    if not isinstance(window.since, datetime) or window.since.date() >= first:
        return None
    return (
        f"CallRail keeps calls for 25 months: what no run has read of those from"
        f" {window.since:%Y-%m-%d} to {first} is lost"
    )


def _api(settings: Mapping[str, str]) -> HttpApi:
    key = settings[names.API_KEY]
    return HttpApi(
        title="CallRail",
        base_url=settings[names.BASE_URL].rstrip("/"),
        headers={"Authorization": f'Token token="{key}"'},
        rates=(
            Rate("callrail:hour", positive_int(settings, names.REQUESTS_PER_HOUR), 3600),
            Rate("callrail:day", positive_int(settings, names.REQUESTS_PER_DAY), 86400),
        ),
        credentials=(names.API_KEY, names.ACCOUNT_ID),
        secrets=(key,),
    )


def _parts(records: Sequence[Record], model: CallRailModel) -> list[Record]:
    match model.part:
        case "tags":
            return [tag for call in records for tag in rows.tags_of(call)]
        case "webhooks":
            return [rows.webhooks_of(r) for r in records if r.get("type") == "Webhooks"]
    return [rows.call(r) for r in records] if model.array == "calls" else list(records)


def _days_between(first: date, last: date) -> Iterator[date]:
    day = first + timedelta(days=1)
    while day < last:
        yield day
        day += timedelta(days=1)
