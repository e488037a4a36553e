"""What disagrees in the pool, and its cure."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.answers import documented
from ingestion.api.errors import Stale
from ingestion.api.given import Key, Why, done
from ingestion.api.security import caller, needs
from ingestion.services.access import Right
from ingestion.services.secrets import mask_json
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["doctor"])
CONFIGURE = needs(Right.CONFIGURE)

Content = dict[str, Any]


class Reset(Why):
    """``expected_active`` and ``expected_queued``: what would be lost, as the caller saw it."""

    expected_active: int
    expected_queued: int


@router.get("/doctor", response=documented(Content), auth=needs(Right.VIEW))
def doctor(request: HttpRequest) -> Content:
    """Compare slots, queue, ledger, workers and clocks; takes two seconds, changes nothing."""
    found: Content = mask_json(get_worker_pool().examine().to_dict())
    return found


@router.post("/doctor/heal", response=documented(Content, 409), auth=CONFIGURE)
def heal(request: HttpRequest, given: Why, key: Key = None) -> HttpResponse:
    """Carry out the cures of everything that disagrees."""

    def do() -> Content:
        pool = get_worker_pool()
        findings = pool.examine().findings
        healed = pool.heal(findings, actor=caller(request).name, reason=given.reason)
        told: Content = mask_json({"healed": [finding.to_dict() for finding in healed]})
        return {"found": len(findings), **told}

    return done(request, key, do)


@router.post("/repair", response=documented(Content, 409), auth=CONFIGURE)
def repair(request: HttpRequest, given: Why, key: Key = None) -> HttpResponse:
    """A round of repairs now: end lost and stale tasks, send unconfirmed ones again."""
    actor = caller(request).name
    return done(
        request, key, lambda: {**get_worker_pool().fix_stuck(actor=actor, reason=given.reason)}
    )


@router.post("/reset", response=documented(Content, 409), auth=CONFIGURE)
def reset(request: HttpRequest, given: Reset, key: Key = None) -> HttpResponse:
    """End every task and delete the pool's state."""

    def do() -> Content:
        pool, actor = get_worker_pool(), caller(request).name
        stake = pool.reset_state()
        expected = (given.expected_active, given.expected_queued)
        if (stake["active"], stake["queued"] + stake["delayed"]) != expected:
            raise Stale("Other tasks run and wait now; look again.", present=stake)
        return pool.reset_state(force=True, actor=actor, reason=given.reason)

    return done(request, key, do)
