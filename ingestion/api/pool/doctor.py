"""What disagrees in the pool, and its repair."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.http.errors import Stale
from ingestion.api.http.requests import Key, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import needs
from ingestion.deprecated_names import with_old_keys
from ingestion.services.security.access import Right
from ingestion.services.security.secrets import mask_json
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["doctor"])
CONFIGURE = needs(Right.CONFIGURE)

Content = dict[str, Any]


class Reset(ReasonBody):
    """``expected_active`` and ``expected_queued``: what would be lost, as the caller saw it."""

    expected_active: int
    expected_queued: int


class Finding(ResponseBody):
    """``code`` for programs, ``sentence`` for people. ``subject`` is a task's id or what else is
    meant; ``repair`` what a repair would do. ``is_safe``: that loses nothing."""

    code: str
    subject: str
    sentence: str
    repair: str
    is_safe: bool


class Diagnosis(ResponseBody):
    """``notes`` are what could not be compared."""

    findings: list[Finding]
    notes: list[str]


class FindingsRepaired(ResponseBody):
    """``found`` counts what disagreed; ``repaired`` is what could be repaired."""

    found: int
    repaired: list[Finding]


class RepairRound(ResponseBody):
    """Counts of tasks: ``lost`` and ``stale`` ones were ended, ``resent`` and ``started`` were sent,
    ``restored`` came back from the ledger, of ``ledger_closed`` the row was closed; ``repaired``
    counts repaired findings."""

    lost: int
    stale: int
    resent: int
    ledger_closed: int
    restored: int
    started: int
    repaired: int


class PoolReset(ResponseBody):
    """Counts of what was lost; ``dead_letters`` are entries that could not be read."""

    done: bool
    active: int
    queued: int
    delayed: int
    held: int
    dead_letters: int
    keys_deleted: int
    ledger_closed: int


@router.get(
    "/doctor", operation_id="doctor_examine", response=documented(Diagnosis), auth=needs(Right.VIEW)
)
def doctor(request: HttpRequest) -> HttpResponse:
    """Compare slots, queue, ledger, workers and clocks; takes two seconds, changes nothing."""
    return respond(mask_json(get_worker_pool().examine().to_dict()))


@router.post(
    "/doctor/repair",
    operation_id="doctor_repair",
    response=documented(FindingsRepaired, 409),
    auth=CONFIGURE,
)
def repair_findings(request: HttpRequest, body: ReasonBody, key: Key = None) -> HttpResponse:
    """Repair everything that disagrees."""

    def action() -> Content:
        pool = get_worker_pool()
        findings = pool.examine().findings
        repaired = pool.repair(findings, change=body.change(request))
        shown = mask_json([finding.to_dict() for finding in repaired])
        return with_old_keys({"found": len(findings), "repaired": shown})

    return perform(request, key, action)


@router.post(
    "/repair",
    operation_id="doctor_repair_round",
    response=documented(RepairRound, 409),
    auth=CONFIGURE,
)
def repair(request: HttpRequest, body: ReasonBody, key: Key = None) -> HttpResponse:
    """A round of repairs now: end lost and stale tasks, send unconfirmed ones again."""
    change = body.change(request)
    return perform(request, key, lambda: {**get_worker_pool().fix_stuck(change=change)})


@router.post(
    "/reset", operation_id="doctor_reset", response=documented(PoolReset, 409), auth=CONFIGURE
)
def reset(request: HttpRequest, body: Reset, key: Key = None) -> HttpResponse:
    """End every task and delete the pool's state."""

    def action() -> Content:
        pool = get_worker_pool()
        stake = pool.reset_state()
        expected = (body.expected_active, body.expected_queued)
        if (stake["active"], stake["queued"] + stake["delayed"]) != expected:
            raise Stale("Other tasks run and wait now; look again.", present=stake)
        return pool.reset_state(force=True, change=body.change(request))

    return perform(request, key, action)
