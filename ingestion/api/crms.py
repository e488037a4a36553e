"""The CRMs: what each has loaded, and whether its credentials are right."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router

from ingestion.api.answers import documented
from ingestion.api.errors import Busy, NotFound
from ingestion.api.given import Why
from ingestion.api.security import caller, needs
from ingestion.services import audit, crm_overview, history, table_rows
from ingestion.services.access import Right
from ingestion.services.crm_check import check_crms
from ingestion.sync.common.registry import crms as known

router = Router(tags=["CRMs"])
VIEW = needs(Right.VIEW)
CHECK_SECONDS = 25.0
LAST_RUNS = 20

Content = dict[str, Any]
CrmName = Annotated[str, Path(max_length=50)]
_checking = threading.Lock()


@router.get("/crms", response=documented(list[Content]), auth=VIEW)
def crms(request: HttpRequest) -> list[Content]:
    """Every CRM with the freshness of its models."""
    return [found.to_dict() for found in crm_overview.overviews()]


@router.get("/crms/{crm_source}", response=documented(Content, 404), auth=VIEW)
def one_crm(request: HttpRequest, crm_source: CrmName) -> Content:
    """One CRM: its models, their rows and trends, its last runs."""
    _check_known(crm_source)
    return {
        **crm_overview.overview(crm_source).to_dict(),
        "rows": table_rows.rows_of(crm_source),
        "last_runs": history.search(history.Search(crm_source), limit=LAST_RUNS).items,
    }


@router.post(
    "/crms/{crm_source}/check",
    response=documented(Content, 404),
    auth=needs(Right.OPERATE),
)
def check(request: HttpRequest, crm_source: CrmName, given: Why) -> Content:
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
        actor=caller(request).name,
        target=crm_source,
        reason=given.reason,
        after={"is_right": is_right},
    )
    return {"is_right": is_right, "checks": [found.to_dict() for found in checks]}


def _check_known(crm_source: str) -> None:
    if crm_source not in known():
        raise NotFound(f"There is no CRM {crm_source!r}; known are: {', '.join(known())}.")
