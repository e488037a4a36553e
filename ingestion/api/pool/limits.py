"""How many syncs may run at once, of all CRMs and of each; and pauses."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.http.requests import Key, Moment, Name, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.controls import Controls, LimitOrigin
from ingestion.pool.controls import MAX_WORKERS_MAX, MAX_WORKERS_MIN
from ingestion.pool.order_rule import AGING_SECONDS_MAX
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["limits"])
VIEW, CONFIGURE = needs(Right.VIEW), needs(Right.CONFIGURE)

Content = dict[str, Any]
MaxWorkers = Annotated[int, Field(ge=MAX_WORKERS_MIN, le=MAX_WORKERS_MAX, strict=True)]
CrmName = Annotated[str, Path(max_length=50)]


class NewLimit(ReasonBody):
    """With ``expires_at`` the lasting limit holds again afterwards."""

    max_workers: MaxWorkers
    expires_at: Moment | None = None


class NewCrmLimit(ReasonBody):
    """``max_workers`` null takes the CRM's limits away."""

    max_workers: MaxWorkers | None
    expires_at: Moment | None = None


class NewPriorityAging(ReasonBody):
    """So many seconds of waiting are worth one level of priority; 0: priority is strict."""

    seconds: Annotated[float, Field(ge=0, lt=AGING_SECONDS_MAX, allow_inf_nan=False, strict=True)]


class Pause(ReasonBody):
    """Of one CRM, or of the whole pool; it ends by itself at ``expires_at``."""

    crm_source: Name | None = None
    expires_at: Moment | None = None


class Resume(ReasonBody):
    """Of one CRM, or of the whole pool; not both."""

    crm_source: Name | None = None


class Limits(ResponseBody):
    """``effective_limit``: ``max_workers``, or less while fewer workers are online. ``controls``:
    what operators have set, that of CRMs too."""

    max_workers: int
    effective_limit: int
    limit: LimitOrigin
    controls: Controls


@router.get("/limits", operation_id="limits_get", response=documented(Limits), auth=VIEW)
def limits(request: HttpRequest) -> HttpResponse:
    """The limits and pauses in force, who set them, when, why and until when."""
    return respond(_shown())


@router.put("/limits", operation_id="limits_set", response=documented(Limits, 409), auth=CONFIGURE)
def set_limit(request: HttpRequest, body: NewLimit, key: Key = None) -> HttpResponse:
    """Change how many syncs run at once, for every process."""

    def action() -> Content:
        get_worker_pool().set_max_workers(
            body.max_workers,
            change=body.change(request),
            expires_at=body.expires_at,
        )
        return _shown()

    return perform(request, key, action)


@router.put(
    "/priority-aging",
    operation_id="priority_aging_set",
    response=documented(Limits, 409),
    auth=CONFIGURE,
)
def set_priority_aging(
    request: HttpRequest, body: NewPriorityAging, key: Key = None
) -> HttpResponse:
    """Change what a level of priority is worth, for every process. What waits is put into its new
    order before anything else starts."""

    def action() -> Content:
        get_worker_pool().set_priority_aging(body.seconds, change=body.change(request))
        return _shown()

    return perform(request, key, action)


@router.put(
    "/limits/{crm_source}",
    operation_id="limits_set_for_crm",
    response=documented(Limits, 409),
    auth=CONFIGURE,
)
def set_crm_limit(
    request: HttpRequest, crm_source: CrmName, body: NewCrmLimit, key: Key = None
) -> HttpResponse:
    """Change how many syncs of one CRM run at once."""

    def action() -> Content:
        get_worker_pool().set_crm_limit(
            crm_source,
            body.max_workers,
            change=body.change(request),
            expires_at=body.expires_at,
        )
        return _shown()

    return perform(request, key, action)


@router.post(
    "/pause", operation_id="limits_pause", response=documented(Limits, 409), auth=CONFIGURE
)
def pause(request: HttpRequest, body: Pause, key: Key = None) -> HttpResponse:
    """Start nothing of one CRM, or nothing at all. What runs goes on."""

    def action() -> Content:
        get_worker_pool().pause(
            body.crm_source,
            change=body.change(request),
            expires_at=body.expires_at,
        )
        return _shown()

    return perform(request, key, action)


@router.post(
    "/resume", operation_id="limits_resume", response=documented(Limits, 409), auth=CONFIGURE
)
def resume(request: HttpRequest, body: Resume, key: Key = None) -> HttpResponse:
    """End the pause of one CRM, or that of the pool."""

    def action() -> Content:
        get_worker_pool().resume(body.crm_source, change=body.change(request))
        return _shown()

    return perform(request, key, action)


def _shown() -> Content:
    whole = get_worker_pool().snapshot(queue_limit=0).to_dict()
    return {name: whole[name] for name in ("max_workers", "effective_limit", "limit", "controls")}
