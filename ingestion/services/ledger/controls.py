"""Limits, pauses and the worth of a priority as the ledger keeps them, for a state that is built
again."""

from __future__ import annotations

import logging

from ingestion.models import ActiveStoreState, PoolSetting
from ingestion.pool.controls import Control, in_force
from ingestion.pool.errors import InvalidControl
from ingestion.pool.order_rule import PriorityAging, checked_aging
from ingestion.services.infra.database import bounded_transaction, ledger_now

logger = logging.getLogger(__name__)

AGING = "priority_aging_seconds"


def controls_to_rebuild() -> dict[str, Control]:
    """The limits and pauses in force, as they were set; what cannot be read counts as not set."""
    found = {}
    for row in PoolSetting.objects.exclude(name=AGING):
        try:
            found[row.name] = Control(
                int(row.value), row.set_by, row.set_at, row.reason, row.expires_at
            )
        except (TypeError, ValueError):
            logger.warning("the setting %s cannot be read: %r", row.name, row.value)
    return in_force(found, now=ledger_now())


def agreed_aging(
    default_seconds: float, *, record: ActiveStoreState | None = None
) -> PriorityAging:
    """What one level of priority is worth, for every process: as an operator has set it. In a new
    installation whoever asks first writes down the default of its settings. ``record`` is for
    whoever holds its lock, and saves it."""
    if record is None and ActiveStoreState.objects.look().aging_seconds is None:
        with bounded_transaction():
            record = ActiveStoreState.objects.locked()
            record.agree_on_aging(default_seconds)
            record.save(update_fields=["aging_seconds"])
    elif record is not None:
        record.agree_on_aging(default_seconds)
    return kept_aging(default_seconds, record=record)


def kept_aging(default_seconds: float, *, record: ActiveStoreState | None = None) -> PriorityAging:
    """The same; writes nothing. Revision 0 where nothing was agreed yet."""
    agreed = (record or ActiveStoreState.objects.look()).aging_seconds
    default = PriorityAging(default_seconds) if agreed is None else PriorityAging(agreed, 1)
    row = PoolSetting.objects.filter(name=AGING).first()
    if row is None:
        return default
    try:
        seconds = checked_aging(row.value)
    except InvalidControl:
        logger.warning("the setting %s cannot be read: %r", row.name, row.value)
        seconds = default.seconds
    return PriorityAging(seconds, row.revision, row.set_by, row.set_at, row.reason)
