"""The three changes of who decides, each one transaction under one lock.

``degrade``: the ledger takes Redis's place. ``recover``: Redis takes its own again. ``rebuild``:
Redis goes on with a state that was lost. Whoever comes second finds the work done.
"""

from __future__ import annotations

import logging
import os
import socket
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from ingestion.models import PoolReferee, SyncHistory
from ingestion.pool.memory_page import controls_to_json
from ingestion.pool.redis_rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from ingestion.services import audit, ledger_state
from ingestion.services.database import bounded_transaction

logger = logging.getLogger(__name__)

# Nothing starts for so long after a change to the ledger: everybody has looked by then who decides.
QUIET_SECONDS = 3.0
# The ledger goes on deciding for so long, doubled when Redis went away again at once.
STAY_SECONDS = 5.0
LONGEST_STAY_SECONDS = 300.0
AT_ONCE_SECONDS = 60.0
REDIS = "redis"


def degrade(epoch: int, *, policy: PoolPolicy, reason: str) -> None:
    """From the ``epoch`` in which Redis could not be reached; the clocks of what runs begin anew.

    Raises LedgerUnavailable.
    """
    with bounded_transaction():
        record = PoolReferee.objects.locked()
        if record.epoch != epoch or record.is_degraded:
            return
        now = timezone.now()
        stays = timedelta(seconds=_stay_seconds(record, now))
        ledger_state.adopt_unspoken()
        ledger_state.begin_leases_anew(now, lease_seconds=policy.lease_seconds)
        record.epoch += 1
        record.is_degraded = True
        record.since, record.stays_until = now, now + stays
        record.quiet_until = now + timedelta(seconds=QUIET_SECONDS)
        record.memory = _first_memory()
        _save(record, "degrade", reason)
    logger.warning("the pool is degraded, its ledger decides: %s", reason)


def _stay_seconds(record: PoolReferee, now: datetime) -> float:
    """A Redis that only some can reach must not make the pool go to and fro."""
    if not (record.recovered_at and record.since and record.stays_until):
        return STAY_SECONDS
    if (now - record.recovered_at).total_seconds() > AT_ONCE_SECONDS:
        return STAY_SECONDS
    last = (record.stays_until - record.since).total_seconds()
    return min(LONGEST_STAY_SECONDS, 2 * last)


def _first_memory() -> dict[str, object]:
    last_us = SyncHistory.objects.aggregate(last=Max("queued_us"))["last"]
    controls = ledger_state.controls_to_rebuild()
    changed_at = utc_now() if controls else None
    return {"last_order_us": last_us or 0, **controls_to_json(controls, changed_at=changed_at)}


def recover(epoch: int, *, store: RebuildableRedisStore, policy: PoolPolicy) -> None:
    """Redis answers again. Raises PoolUnavailable: the ledger goes on."""
    with bounded_transaction():
        record = PoolReferee.objects.locked()
        if record.epoch != epoch or not record.is_degraded:
            return
        count = _build(record, store, policy)
        record.is_degraded = False
        record.recovered_at = timezone.now()
        record.memory = {}
        _save(record, "recover", f"Redis answers again; {count} tasks were put back.")
    logger.warning("the pool is no longer degraded, Redis decides: %d tasks put back", count)


def rebuild(epoch: int, *, store: RebuildableRedisStore, policy: PoolPolicy, reason: str) -> None:
    """Redis answers, and its state is lost or not whole; ``reason`` says how that shows. Raises
    PoolUnavailable."""
    with bounded_transaction():
        record = PoolReferee.objects.locked()
        if record.epoch != epoch or record.is_degraded:
            return
        count = _build(record, store, policy)
        action = "rebuild" if epoch else "build"  # the first use of the pool
        _save(
            record, action, f"The state in Redis was lost: {reason}; {count} tasks were put back."
        )
    level = logging.WARNING if epoch else logging.INFO
    logger.log(level, "the pool's state in Redis was built, %d tasks put back: %s", count, reason)


def _build(record: PoolReferee, store: RebuildableRedisStore, policy: PoolPolicy) -> int:
    """Give Redis the ledger's tasks in the next epoch. What it holds is no state until this
    transaction is committed: nobody else knows that epoch."""
    record.epoch += 1
    ledger_state.adopt_unspoken()
    tasks = ledger_state.tasks_to_rebuild(retention_seconds=policy.retention_seconds)
    return store.rebuild(tasks, epoch=record.epoch, controls=ledger_state.controls_to_rebuild())


def _save(record: PoolReferee, action: str, reason: str) -> None:
    record.reason, record.by = reason, f"{socket.gethostname()}/{os.getpid()}"
    record.save()
    audit.record(
        action, actor=record.by, target=REDIS, reason=reason, after={"epoch": record.epoch}
    )
