"""Leap's REST API v3, which knows SalesPro's customers, jobs, proposals, appointments and users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

from ingestion.sync.common.errors import PermanentError, SettingsMissing, SyncError
from ingestion.sync.common.http import HttpApi, HttpClient
from ingestion.sync.common.http_errors import Refusal
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Record, SourceContext, Window
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

    def pages(
        self, model: LeapModel, window: Window, *, batch_size: int | None
    ) -> Iterator[list[Record]]:
        if not model.paged:
            yield [unwrapped(row) for row in self._http.get(model.path).records("data")]
            return
        limit = min(batch_size or MAX_LIMIT, MAX_LIMIT)
        params = {"limit": limit, "sort_by": "id", "sort_order": "asc"}
        params |= self._filters(model, window)
        paginator = PageNumberPaginator(
            base_page=1, page_param="page", total_path="meta.pagination.total_pages"
        )
        for rows in self._http.paginate(model.path, paginator, records="data", params=params):
            yield [unwrapped(row) for row in rows]

    def close(self) -> None:
        self._http.close()

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
        auth=BearerTokenAuth(token),
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


def unwrapped(row: Record) -> Record:
    """The row with its relations bare: the API wraps each as ``{"data": ...}``."""
    return {name: _bare(value) for name, value in row.items()}


def _bare(value: Any) -> Any:
    return value["data"] if isinstance(value, dict) and set(value) == {"data"} else value
