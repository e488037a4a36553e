"""How many syncs may run at once, of all CRMs and of each; and pauses."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.answers import documented
from ingestion.api.given import Key, Moment, Name, Why, done
from ingestion.api.security import caller, needs
from ingestion.pool.controls import MAX_WORKERS_MAX, MAX_WORKERS_MIN
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["limits"])
VIEW, CONFIGURE = needs(Right.VIEW), needs(Right.CONFIGURE)

Content = dict[str, Any]
MaxWorkers = Annotated[int, Field(ge=MAX_WORKERS_MIN, le=MAX_WORKERS_MAX, strict=True)]
CrmName = Annotated[str, Path(max_length=50)]


class NewLimit(Why):
    """With ``expires_at`` the lasting limit holds again afterwards."""

    max_workers: MaxWorkers
    expires_at: Moment | None = None


class NewCrmLimit(Why):
    """``max_workers`` null takes the CRM's limits away."""

    max_workers: MaxWorkers | None
    expires_at: Moment | None = None


class Pause(Why):
    """Of one CRM, or of the whole pool; it ends by itself at ``expires_at``."""

    crm_source: Name | None = None
    expires_at: Moment | None = None


class Resume(Why):
    """Of one CRM, or of the whole pool; not both."""

    crm_source: Name | None = None


@router.get("/limits", response=documented(Content), auth=VIEW)
def limits(request: HttpRequest) -> Content:
    """The limits and pauses in force, who set them, when, why and until when."""
    return _shown()


@router.put("/limits", response=documented(Content, 409), auth=CONFIGURE)
def set_limit(request: HttpRequest, given: NewLimit, key: Key = None) -> HttpResponse:
    """Change how many syncs run at once, for every process."""

    def do() -> Content:
        get_worker_pool().set_max_workers(
            given.max_workers,
            actor=caller(request).name,
            reason=given.reason,
            expires_at=given.expires_at,
        )
        return _shown()

    return done(request, key, do)


@router.put("/limits/{crm_source}", response=documented(Content, 409), auth=CONFIGURE)
def set_crm_limit(
    request: HttpRequest, crm_source: CrmName, given: NewCrmLimit, key: Key = None
) -> HttpResponse:
    """Change how many syncs of one CRM run at once."""

    def do() -> Content:
        get_worker_pool().set_crm_limit(
            crm_source,
            given.max_workers,
            actor=caller(request).name,
            reason=given.reason,
            expires_at=given.expires_at,
        )
        return _shown()

    return done(request, key, do)


@router.post("/pause", response=documented(Content, 409), auth=CONFIGURE)
def pause(request: HttpRequest, given: Pause, key: Key = None) -> HttpResponse:
    """Start nothing of one CRM, or nothing at all. What runs goes on."""

    def do() -> Content:
        get_worker_pool().pause(
            given.crm_source,
            actor=caller(request).name,
            reason=given.reason,
            expires_at=given.expires_at,
        )
        return _shown()

    return done(request, key, do)


@router.post("/resume", response=documented(Content, 409), auth=CONFIGURE)
def resume(request: HttpRequest, given: Resume, key: Key = None) -> HttpResponse:
    """End the pause of one CRM, or that of the pool."""

    def do() -> Content:
        get_worker_pool().resume(given.crm_source, actor=caller(request).name, reason=given.reason)
        return _shown()

    return done(request, key, do)


def _shown() -> Content:
    whole = get_worker_pool().snapshot(queue_limit=0).to_dict()
    return {name: whole[name] for name in ("max_workers", "effective_limit", "limit", "controls")}
