"""How old a dataset may be at most, as operators set it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion.models import FreshnessBound
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.services.security import audit
from ingestion.sync.common.registry import crms

SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 400 * 86_400.0


class DatasetNotFound(LookupError):
    """No CRM has such a model."""


def stored() -> list[FreshnessBound]:
    """All of them, by CRM and model."""
    return list(FreshnessBound.objects.order_by("crm_source", "model"))


def set_bound(
    crm_source: str, model: str, seconds: float | None, *, change: ChangeRequest = UNSIGNED
) -> FreshnessBound | None:
    """Declare how old the dataset may be at most; None: its schedules decide again. Raises
    DatasetNotFound."""
    _check_known(crm_source, model)
    signed = audit.signed(change)
    with transaction.atomic():
        before = FreshnessBound.objects.filter(crm_source=crm_source, model=model).first()
        made = None
        if seconds is None:
            FreshnessBound.objects.filter(crm_source=crm_source, model=model).delete()
        else:
            made = _kept(crm_source, model, seconds, signed)
        audit.record(
            "freshness",
            change=change,
            target=f"{crm_source}.{model}",
            before=_plain(before),
            after=_plain(made),
        )
    return made


def _kept(crm_source: str, model: str, seconds: float, change: ChangeRequest) -> FreshnessBound:
    fields = {
        "seconds": seconds,
        "set_by": change.by,
        "set_at": timezone.now(),
        "reason": change.reason,
    }
    made, _ = FreshnessBound.objects.update_or_create(
        crm_source=crm_source, model=model, defaults=fields
    )
    return made


def _check_known(crm_source: str, model: str) -> None:
    found = crms().get(crm_source)
    if found is None or model not in {one.name for one in found.models}:
        raise DatasetNotFound(f"There is no dataset {crm_source}.{model}.")


def _plain(bound: FreshnessBound | None) -> dict[str, Any] | None:
    return {"seconds": bound.seconds} if bound else None
