"""Leap's REST API v3, which knows SalesPro's customers, jobs, proposals, appointments and users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.sync.common.errors import PermanentError, SettingsMissing, SyncError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Page, Record, SourceContext, Window
from ingestion.sync.http.client import BearerAuth, HttpApi, HttpClient
from ingestion.sync.http.errors import Refusal
from ingestion.sync.http.overlap import OverlappingPages, Place, Rows
from ingestion.sync.http.pagination import number_at, value_at
from ingestion.sync.salespro import settings as names
from ingestion.sync.salespro.settings import LeapModel

MAX_LIMIT = 100
INVALID_DATA = 413  # where others answer 400 or 422


class LeapBackend:
    """Reads the lists of one company."""

    def __init__(self, context: SourceContext) -> None:
        """Raises SettingsMissing without a token."""
        self._settings = context.settings
        self._http = HttpClient(_api(context.settings), context)

    def pages(self, model: LeapModel, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        if not model.paged:
            answer = self._http.get(model.path)
            if value_at(answer.data, "meta.pagination.total_pages") in (None, 0, 1):
                yield _page(Page(answer.records("data")))
                return
        params = {"sort_by": "id", "sort_order": "asc", **self._filters(model, window)}
        reading = OverlappingPages(
            f"SalesPro GET {model.path}",
            lambda place: self._rows(model.path, params, place),
            min(batch_size or MAX_LIMIT, MAX_LIMIT),
        )
        yield from map(_page, reading.pages())

    def close(self) -> None:
        self._http.close()

    def _rows(self, path: str, params: Mapping[str, Any], place: Place) -> Rows:
        answer = self._http.get(path, {**params, "limit": place.size, "page": place.page})
        pages = number_at(answer.label, answer.data, "meta.pagination.total_pages")
        return Rows(answer.records("data"), has_more=place.page < pages)

    def _filters(self, model: LeapModel, window: Window) -> dict[str, Any]:
        if model.in_lead_stage:
            return {"stages[]": self._lead_stages()}
        if not model.changed_by or not isinstance(window.since, datetime):
            return {}
        until = window.until or datetime.now(UTC) + timedelta(days=1)
        return {
            "date_range_type": model.changed_by,
            "start_date": window.since.date().isoformat(),
            "end_date": until.date().isoformat(),
        }

    def _lead_stages(self) -> list[str]:
        """The codes of the stages that count as leads."""
        wanted = {name.strip().lower() for name in self._settings[names.LEAD_STAGES].split(",")}
        stages = self._http.get("/workflow/stages").records("data")
        codes = [str(s.get("code")) for s in stages if str(s.get("name")).lower() in wanted]
        if not codes:
            known = ", ".join(str(stage.get("name")) for stage in stages)
            raise PermanentError(
                f"SalesPro has none of the stages of {names.LEAD_STAGES}; its stages are: {known}."
            )
        return codes


def _api(settings: Mapping[str, str]) -> HttpApi:
    token = settings[names.API_TOKEN]
    if not token:
        raise SettingsMissing(f"SalesPro is not configured: set {names.API_TOKEN}.")
    return HttpApi(
        title="SalesPro",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=BearerAuth(token),
        rates=(Rate("salespro", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.API_TOKEN,),
        secrets=(token,),
        explain=_explain,
    )


def _explain(refusal: Refusal) -> SyncError | None:
    if refusal.status == INVALID_DATA:
        return PermanentError(
            f"{refusal.label} refused the request as invalid ({refusal.status}{refusal.detail})."
        )
    return None


def _page(page: Page) -> Page:
    return replace(page, records=[unwrapped(row) for row in page.records])


def unwrapped(row: Record) -> Record:
    """The row with its relations bare: the API wraps each as ``{"data": ...}``."""
    return {name: _bare(value) for name, value in row.items()}


def _bare(value: Any) -> Any:
    return value["data"] if isinstance(value, dict) and set(value) == {"data"} else value
