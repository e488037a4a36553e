"""Reads CallRail's lists; call tags and webhooks are made of other lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from ingestion.sync.callrail import rows
from ingestion.sync.callrail import settings as names
from ingestion.sync.callrail.settings import CallRailModel
from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.http import HttpApi, HttpClient
from ingestion.sync.common.pagination import RepeatGuard
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

MAX_PER_PAGE = 250
PROBED = 5
# 25 months, and a day less: a range that begins before them is an error, not an empty page.
RETENTION = timedelta(days=759)


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
                yield from (Page(found) for found in self._list(callrail.array, per_page))

    def probe(self, model: Model) -> Page | None:
        """Integrations: of the first company; any number of companies may have none."""
        callrail = cast(CallRailModel, model)
        if callrail.array != "integrations":
            return None
        for company in next(self._list("companies", 1), []):
            params = {"company_id": company["id"]}
            found = next(self._list("integrations", PROBED, params), [])
            return Page(_parts([rows.of_company(x, company["id"]) for x in found], callrail))
        return Page(())

    def close(self) -> None:
        self._http.close()

    def _calls(self, model: CallRailModel, window: Window, per_page: int) -> Iterator[Page]:
        """Calls of whole days. The days between the first and the last are read completely, so
        what is not seen of them any more has gone; those two are cut by time zones."""
        first, last = self._days(window)
        params = {
            "relative_pagination": "true",
            "per_page": per_page,
            "offset": 0,
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
            "fields": names.CALL_FIELDS,
        }
        path, paginator = f"{self._account}/calls.json", JSONLinkPaginator("next_page")
        for calls in self._http.paginate(path, paginator, records="calls", params=params):
            yield Page(_parts(calls, model))
        whole = frozenset((day,) for day in _days_between(first, last))
        yield Page([], Scope((names.CALL_DAY,), whole))

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
        for companies in self._list("companies", per_page):
            for company in companies:
                params = {"company_id": company["id"]}
                for found in self._list("integrations", per_page, params):
                    yield Page(_parts([rows.of_company(x, company["id"]) for x in found], model))

    def _list(
        self, array: str, per_page: int, params: Mapping[str, Any] | None = None
    ) -> Iterator[list[Record]]:
        """By page number. Some lists do not tell how many pages there are: those end at a page
        that is not full."""
        path, page = f"{self._account}/{array}.json", 1
        guard = RepeatGuard(f"CallRail GET {path}")
        while True:
            query = {**(params or {}), "page": page, "per_page": per_page}
            answer = self._http.get(path, query)
            found = answer.records(array)
            guard.check(row.get("id") for row in found)
            if found:
                yield found
            total = answer.object().get("total_pages")
            if len(found) < per_page if total is None else page >= int(total):
                return
            page += 1


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
