"""Deletions that runs have held back, and what somebody decides about them."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion.models import HeldDeletions
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import LedgerUnavailable
from ingestion.pool.overlap import OnOverlap
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.routing import ALL
from ingestion.services.requests.submission import Submission
from ingestion.services.security import audit
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import ModelResult, Verdict

logger = logging.getLogger(__name__)


class NothingHeld(LookupError):
    """No run holds deletions of this dataset back."""


def held(*, crm_source: str = "") -> list[HeldDeletions]:
    """By CRM and model; those of one CRM where it is named."""
    found = HeldDeletions.objects.order_by("crm_source", "model")
    return list(found.filter(crm_source=crm_source) if crm_source else found)


def of_dataset(crm_source: str, model: str) -> HeldDeletions | None:
    return HeldDeletions.objects.filter(crm_source=crm_source, model=model).first()


def verdicts(crm_source: str) -> dict[str, Verdict]:
    """What was decided, by model; nothing while the ledger is away: then deletions stay held back."""
    try:
        with as_unavailable():
            decided = [row for row in held(crm_source=crm_source) if row.decision]
    except LedgerUnavailable as problem:
        logger.warning(
            "what was decided about deletions of %s is not known: %s", crm_source, problem
        )
        return {}
    return {
        row.model: Verdict(
            "accepted" if row.decision == "accepted" else "dismissed", row.decided_count
        )
        for row in decided
    }


def note(crm_source: str, result: ModelResult) -> None:
    """Keep what a run has held back, or that it held nothing back. One that could not tell changes
    nothing. The rows are loaded: a ledger that is away is no failure, the next run notes it again."""
    if result.held_back is None:
        return
    try:
        with as_unavailable():
            _note(crm_source, result)
    except LedgerUnavailable as problem:
        logger.warning("what %s held back is not noted: %s", result.model, problem)


def _note(crm_source: str, result: ModelResult) -> None:
    if not result.held_back:
        HeldDeletions.objects.filter(crm_source=crm_source, model=result.model).delete()
        return
    seen = {"count": result.held_back, "living": result.living, "seen_at": timezone.now()}
    HeldDeletions.objects.update_or_create(crm_source=crm_source, model=result.model, defaults=seen)


def decide(
    crm_source: str, model: str, decision: str, *, change: ChangeRequest = UNSIGNED
) -> HeldDeletions:
    """``accepted``: the next run that reads everything marks them as deleted; ``dismissed``: they stay,
    and runs are not partial because of them. Raises NothingHeld."""
    signed = audit.signed(change)
    with transaction.atomic():
        row = (
            HeldDeletions.objects.select_for_update()
            .filter(crm_source=crm_source, model=model)
            .first()
        )
        if row is None:
            raise NothingHeld(f"No run holds deletions of {crm_source}.{model} back.")
        before = to_dict(row)
        row.decision, row.decided_count = HeldDeletions.Decision(decision), row.count
        row.decided_by, row.decided_at = signed.by[:200], timezone.now()
        row.reason = signed.reason
        row.save()
        verb = (
            "accept_deletions"
            if decision == HeldDeletions.Decision.ACCEPTED
            else "dismiss_deletions"
        )
        audit.record(
            verb, change=change, target=f"{crm_source}.{model}", before=before, after=to_dict(row)
        )
    return row


def full_run(crm_source: str, model: str, *, change: ChangeRequest = UNSIGNED) -> Submission:
    """To be put into the queue: of the model, or of all where it has no route of its own."""
    is_routed = model in crm(crm_source).sync_types
    return Submission(
        crm_source,
        model if is_routed else ALL,
        {"mode": "full"},
        requested_by=change.by,
        reason=change.reason,
        on_overlap=OnOverlap.COALESCE,
    )


def to_dict(row: HeldDeletions) -> dict[str, Any]:
    """The JSON form."""
    return {
        "crm_source": row.crm_source,
        "model": row.model,
        "count": row.count,
        "living": row.living,
        "held_at": row.held_at.isoformat(),
        "decision": row.decision,
        "decided_count": row.decided_count,
        "decided_by": row.decided_by,
    }
