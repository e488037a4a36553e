"""The circuit breakers of the CRMs: which are left in peace, and opening and closing by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.http.requests import Key, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.services.breakers import breaker
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["limits"])

CrmName = Annotated[str, Path(max_length=50)]


class Breaker(ResponseBody):
    """``kind``: transient, credentials, quota or by_hand; empty while it is closed. ``recent``: how
    the last attempts ended, the latest last."""

    crm_source: str
    state: Annotated[str, one_of(("closed", "open", "probing"))]
    kind: str
    sentence: str
    warning: str
    """A sentence where the next failed run may open it."""
    opened_at: Time | None
    probe_at: Time | None
    """When one run may try; null while somebody has to act."""
    recent: list[str]


class BreakerList(ResponseBody):
    schema_version: Literal[1] = Field(alias="schema")
    breakers: list[Breaker]


@router.get(
    "/breakers",
    operation_id="breakers_list",
    response=documented(BreakerList),
    by_alias=True,
    auth=needs(Right.VIEW),
)
def breakers(request: HttpRequest) -> HttpResponse:
    """Which CRMs are left in peace, why, and when one run tries them again."""
    return respond({"schema": 1, "breakers": list(breaker.listed())})


@router.post(
    "/breakers/{crm_source}/open",
    operation_id="breakers_open",
    response=documented(Breaker, 409),
    auth=needs(Right.CONFIGURE),
)
def open_breaker(
    request: HttpRequest, crm_source: CrmName, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Start nothing of a CRM until its breaker is closed."""

    def action() -> dict[str, Any]:
        pool, change = get_worker_pool(), body.change(request)
        return breaker.to_dict(breaker.open_by_hand(pool, crm_source, change=change))

    return perform(request, key, action)


@router.post(
    "/breakers/{crm_source}/close",
    operation_id="breakers_close",
    response=documented(Breaker, 409),
    auth=needs(Right.CONFIGURE),
)
def close_breaker(
    request: HttpRequest, crm_source: CrmName, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Let the syncs of a CRM start again now."""

    def action() -> dict[str, Any]:
        pool, change = get_worker_pool(), body.change(request)
        return breaker.to_dict(breaker.close_by_hand(pool, crm_source, change=change))

    return perform(request, key, action)
