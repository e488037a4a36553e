"""What a level of priority is worth: kept for good in the database, in force in the store.

The database is first. A store that is behind it, because a process died in between, is brought to it
by whoever comes along, and so is a change of the order that was left half done.
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from ingestion.models import PoolSetting
from ingestion.pool.change import ChangeRequest
from ingestion.pool.order_rule import PriorityAging, checked_aging
from ingestion.pool.store import PoolStore
from ingestion.services.ledger import controls as ledger_controls
from ingestion.services.ledger.controls import AGING
from ingestion.services.security import audit

logger = logging.getLogger(__name__)

SETTING = "WORKER_POOL_PRIORITY_AGING_SECONDS"
ACTION = "priority_aging"
HOW = "manage.py manage_worker_pool config --priority-aging-seconds"


def change(store: PoolStore, seconds: float, *, default: float, change: ChangeRequest) -> None:
    """Let it count for every process, and put what waits into its new order. Raises
    InvalidControl."""
    wanted, in_force = checked_aging(seconds), restore(store, default=default)
    signed = audit.signed(change)
    with transaction.atomic():
        row = _locked_row(in_force)
        audit.record(ACTION, change=signed, before=row.value, after=wanted)
        row.value, row.revision = wanted, max(row.revision, in_force.revision) + 1
        row.set_by, row.set_at, row.reason = signed.by, timezone.now(), signed.reason
        row.save()
    follow(store, default=default)


def _locked_row(in_force: PriorityAging) -> PoolSetting:
    first = {"value": in_force.seconds, "revision": in_force.revision}
    PoolSetting.objects.get_or_create(name=AGING, defaults=first)
    return PoolSetting.objects.select_for_update().get(name=AGING)


def restore(store: PoolStore, *, default: float) -> PriorityAging:
    """What is in force; in a store that knows nothing of it that of the database."""
    in_force = store.controls().priority_aging
    return in_force if in_force.revision else follow(store, default=default)


def follow(store: PoolStore, *, default: float) -> PriorityAging:
    """Bring the store to what the database says. In a new installation that is ``default``."""
    in_force = store.set_priority_aging(ledger_controls.agreed_aging(default)).priority_aging
    finish_rescoring(store)
    return in_force


def finish_rescoring(store: PoolStore) -> None:
    """Until all that waits stands by the rule in force; nothing to do when it does already."""
    pages = 0
    while store.rescore():
        pages += 1
    if pages:
        logger.info("the waiting tasks were put into a new order, in %d pages", pages + 1)


def difference(in_force: PriorityAging, configured: float) -> str:
    """How the settings of this process differ from what is in force; '' where they agree."""
    if in_force.seconds == configured:
        return ""
    return (
        f"{SETTING} is {configured:g} here, but {in_force.seconds:g} is in force for every process; "
        f"the setting counts in a new installation alone. To change it: {HOW} {configured:g}"
    )
