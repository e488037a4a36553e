"""The CRMs: what each has loaded, and whether its credentials are right."""

from __future__ import annotations

import threading
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from ingestion.api.http.errors import Busy, NotFound
from ingestion.api.http.requests import ReasonBody
from ingestion.api.http.responses import Counts, ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.promises import Promise
from ingestion.api.schemas.runs import Run, RunStatus
from ingestion.services.crms import crm_overview, table_rows
from ingestion.services.freshness.datasets import Freshness
from ingestion.services.reporting import history
from ingestion.services.runs.check import State, check_crms
from ingestion.services.security import audit
from ingestion.services.security.access import Right
from ingestion.sync.common.registry import crms as known

router = Router(tags=["CRMs"])
VIEW = needs(Right.VIEW)
CHECK_SECONDS = 25.0
LAST_RUNS = 20

CrmName = Annotated[str, Path(max_length=50)]
_checking = threading.Lock()


class CrmModel(ResponseBody):
    """``trend``: rows of the last loads, the oldest first. ``last_run_id`` is a run's id in the
    history, however it ended."""

    name: str
    is_routed: bool
    """Whether it can be synced alone."""
    reads: str
    note: str
    freshness: Annotated[str, one_of(Freshness)]
    last_success_at: Time | None
    last_rows: int | None
    last_status: RunStatus | None
    last_run_id: int | None
    usual_interval_seconds: float | None
    promise: Promise | None
    due_at: Time | None
    late_since: Time | None
    trend: list[int]


class Crm(ResponseBody):
    """``missing``: required settings without a value. ``counts``: models by freshness."""

    name: str
    title: str
    sync_types: list[str]
    missing: list[str]
    last_success_at: Time | None
    counts: Counts
    models: list[CrmModel]


class CrmDetails(Crm):
    """``rows`` by model; null where the warehouse has no such table."""

    rows: dict[str, int | None]
    last_runs: list[Run]


class ModelCheck(ResponseBody):
    """``model`` null: it holds for the whole CRM. ``records``: how many the first page had.
    ``message`` is empty where all is right."""

    crm_source: str
    model: str | None
    state: Annotated[str, one_of(State)]
    records: int | None
    message: str
    seconds: float
    is_right: bool


class CrmChecked(ResponseBody):
    is_right: bool
    checks: list[ModelCheck]


@router.get("/crms", operation_id="crms_list", response=documented(list[Crm]), auth=VIEW)
def crms(request: HttpRequest) -> HttpResponse:
    """Every CRM with the freshness of its models."""
    return respond([found.to_dict() for found in crm_overview.overviews()])


@router.get(
    "/crms/{crm_source}", operation_id="crms_get", response=documented(CrmDetails, 404), auth=VIEW
)
def one_crm(request: HttpRequest, crm_source: CrmName) -> HttpResponse:
    """One CRM: its models, their rows and trends, its last runs."""
    _check_known(crm_source)
    return respond(
        {
            **crm_overview.overview(crm_source).to_dict(),
            "rows": table_rows.rows_of(crm_source),
            "last_runs": history.search(history.Search(crm_source), limit=LAST_RUNS).items,
        }
    )


@router.post(
    "/crms/{crm_source}/check",
    operation_id="crms_check",
    response=documented(CrmChecked, 404),
    auth=needs(Right.OPERATE),
)
def check(request: HttpRequest, crm_source: CrmName, body: ReasonBody) -> HttpResponse:
    """Ask the CRM for a few records of each model: are credentials and rights in order? Loads
    nothing; takes up to half a minute; one at a time."""
    _check_known(crm_source)
    if not _checking.acquire(blocking=False):
        raise Busy("Another check is running; try again when it has ended.")
    try:
        checks = check_crms([crm_source], seconds=CHECK_SECONDS)
    finally:
        _checking.release()
    is_right = all(found.is_right for found in checks)
    audit.record(
        "check_crm",
        change=body.change(request),
        target=crm_source,
        after={"is_right": is_right},
    )
    return respond({"is_right": is_right, "checks": [found.to_dict() for found in checks]})


def _check_known(crm_source: str) -> None:
    if crm_source not in known():
        raise NotFound(f"There is no CRM {crm_source!r}; known are: {', '.join(known())}.")
