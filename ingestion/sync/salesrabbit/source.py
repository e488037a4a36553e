"""Reads SalesRabbit's lists, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.http.client import BearerAuth, HttpApi, HttpClient
from ingestion.sync.http.overlap import OverlappingPages, Place, Rows
from ingestion.sync.salesrabbit import settings as names
from ingestion.sync.salesrabbit.settings import SalesRabbitModel

MAX_PER_PAGE = 2000
NOT_MODIFIED = 304
# A PHP back end: an empty object may come as a list, a filled one as its JSON text.
OBJECT_FIELDS = ("customFields", "integrationData")


class Source:
    """Keeps the CrmSource contract for SalesRabbit."""

    def __init__(self, context: SourceContext) -> None:
        self._http = HttpClient(_api(context.settings), context)

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """Stops where the CRM says so, and where a page brings nothing new: users come whole on
        every page, whichever is asked for."""
        rabbit = cast(SalesRabbitModel, model)
        headers = _since(window) if rabbit.modified_since else {}
        reading = OverlappingPages(
            f"SalesRabbit GET {rabbit.path}",
            lambda place: self._rows(rabbit.path, place, headers),
            min(batch_size or MAX_PER_PAGE, MAX_PER_PAGE),
            may_be_whole=True,
        )
        for page in reading.pages():
            records = [tidy(row) for row in page.records if _is_wanted(row, rabbit, window)]
            yield replace(page, records=records)

    def close(self) -> None:
        self._http.close()

    def _rows(self, path: str, place: Place, headers: Mapping[str, str]) -> Rows:
        answer = self._http.get(
            path,
            {"page": place.page, "perPage": place.size},
            headers=headers,
            accept=(NOT_MODIFIED,),
        )
        if answer.status == NOT_MODIFIED:
            return Rows([], has_more=False)
        has_more = bool((answer.object().get("meta") or {}).get("morePages"))
        return Rows(answer.records("data"), has_more)


def _api(settings: Mapping[str, str]) -> HttpApi:
    per_minute = positive_int(settings, names.REQUESTS_PER_MINUTE)
    return HttpApi(
        title="SalesRabbit",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=BearerAuth(settings[names.API_TOKEN]),
        rates=(Rate("salesrabbit", per_minute, 60),),
        credentials=(names.API_TOKEN,),
        secrets=(settings[names.API_TOKEN],),
    )


def _since(window: Window) -> dict[str, str]:
    if not isinstance(window.since, datetime):
        return {}
    since = window.since.astimezone(UTC).replace(microsecond=0)
    return {"If-Modified-Since": since.isoformat()}


def _is_wanted(row: Record, model: SalesRabbitModel, window: Window) -> bool:
    """The API has no upper bound: what was changed after it is left out here."""
    if window.until is None or not (changed := row.get(model.cursor or "")):
        return True
    return datetime.fromisoformat(changed) <= window.until


def tidy(row: Record) -> Record:
    """The row with objects where objects are meant, and marked where the CRM says it is gone."""
    fixed = {name: as_object(row[name]) for name in OBJECT_FIELDS if name in row}
    gone = {"_deleted_at": row["deletedAt"]} if row.get("deletedAt") else {}
    return {**row, **fixed, **gone}


def as_object(value: Any) -> Any:
    """``{}`` for an empty value of any shape, the object of a JSON text, else the value."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            return value
    return value or {}
