"""The limit of running tasks: in force in the store, kept for good in the database."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from ingestion.models import PoolSetting
from ingestion.pool.store import PoolStore, checked_limit
from ingestion.services import audit
from ingestion.services.secrets import mask

NAME = "max_workers"


def change(store: PoolStore, max_workers: int, *, actor: str, reason: str) -> None:
    """Both or neither: the row's lock also gives two changes one order in both places.

    Raises InvalidLimit.
    """
    limit, actor, reason = checked_limit(max_workers), mask(audit.actor(actor)), mask(reason)
    with transaction.atomic():
        before = store.limit().max_workers
        PoolSetting.objects.update_or_create(
            name=NAME,
            defaults={
                "value": limit,
                "set_by": actor,
                "set_at": timezone.now(),
                "reason": reason,
            },
        )
        audit.record("limit", actor=actor, target=NAME, reason=reason, before=before, after=limit)
        store.set_limit(limit, by=actor, reason=reason)


def restore(store: PoolStore) -> None:
    """Put the database's limit back into a store that has lost its own."""
    if store.limit().set_at is not None:
        return
    kept = PoolSetting.objects.filter(name=NAME).first()
    if kept is not None:
        store.set_limit(checked_limit(kept.value), by=kept.set_by, reason=kept.reason)
