"""The three changes of the active store, each one transaction under one lock.

``degrade``: from Redis to the ledger. ``recover``: back to Redis. ``rebuild``: Redis stays active
and gets its lost state again. Where two processes want the same change, the second one sees that
it has been made and does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from django.db.models import Max

from ingestion.models import ActiveStoreState, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.controls import controls_to_json
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.failover.stores import PrimaryStore
from ingestion.services.infra.database import bounded_transaction, ledger_now
from ingestion.services.ledger import controls as ledger_controls
from ingestion.services.ledger import state as ledger_state
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask

logger = logging.getLogger(__name__)

# After a change to the ledger nothing starts for this long: every process has read it by then.
QUIET_SECONDS = 3.0
# The ledger stays active for this long, doubled each time Redis fails again at once.
STAY_SECONDS = 5.0
# So many open rows are compared with a Redis that takes no writes: a verb waits for it.
MOST_LOOKED_AT = 2000
LONGEST_STAY_SECONDS = 300.0
AT_ONCE_SECONDS = 60.0
REDIS = "redis"
BATCH = 500


class Follow(Protocol):
    """Brings the row of a task to what the store says of it, see ``ledger.entries``."""

    def __call__(self, task: WorkerTask, *, epoch: int) -> object: ...


def degrade(
    epoch: int, *, store: PrimaryStore, policy: PoolPolicy, follow: Follow, problem: PoolUnavailable
) -> None:
    """Make the ledger active, unless ``epoch``, in which Redis had this problem, is over. Leases and
    times of progress of what runs start again now. Raises LedgerUnavailable.

    A Redis that takes no writes (full, read-only) can still be read: what ended while the ledger
    could not be written is written down first."""
    reason = mask(str(problem))
    with bounded_transaction():
        record = ActiveStoreState.objects.locked()
        if record.epoch != epoch or record.is_degraded:
            return
        if problem.may_be_read:
            with suppress(PoolUnavailable):
                _write_down_what_is_left(record, store, follow, at_most=MOST_LOOKED_AT)
        now = ledger_now()
        stays = timedelta(seconds=_stay_seconds(record, now))
        ledger_state.adopt_unplaced()
        ledger_state.note_followers()
        ledger_state.restart_leases(now, lease_seconds=policy.lease_seconds)
        record.epoch += 1
        record.is_degraded = True
        record.since, record.stays_until = now, now + stays
        record.quiet_until = now + timedelta(seconds=QUIET_SECONDS)
        record.memory = _first_memory(record, policy, now)
        _save(record, "degrade", reason)
    logger.warning("the pool is degraded, its ledger decides: %s", reason)


def _stay_seconds(record: ActiveStoreState, now: datetime) -> float:
    """How long the ledger stays active: twice as long as before if Redis has failed again within
    ``AT_ONCE_SECONDS``, so that a Redis that only some processes reach does not make the pool go to
    and fro."""
    if not (record.recovered_at and record.since and record.stays_until):
        return STAY_SECONDS
    if (now - record.recovered_at).total_seconds() > AT_ONCE_SECONDS:
        return STAY_SECONDS
    last = (record.stays_until - record.since).total_seconds()
    return min(LONGEST_STAY_SECONDS, 2 * last)


def _first_memory(record: ActiveStoreState, policy: PoolPolicy, now: datetime) -> dict[str, object]:
    last_us = SyncHistory.objects.aggregate(last=Max("queued_us"))["last"]
    controls = ledger_controls.controls_to_rebuild()
    aging = ledger_controls.agreed_aging(policy.priority_aging_seconds, record=record)
    return {
        "last_order_us": last_us or 0,
        **controls_to_json(controls, changed_at=now if controls else None),
        "priority_aging": aging.to_dict(),
    }


def recover(epoch: int, *, store: PrimaryStore, policy: PoolPolicy, follow: Follow) -> None:
    """Make Redis active again with the ledger's tasks. Raises PoolUnavailable; then the ledger
    stays active."""
    with bounded_transaction():
        record = ActiveStoreState.objects.locked()
        if record.epoch != epoch or not record.is_degraded:
            return
        now = ledger_now()
        _write_down_what_is_left(record, store, follow)
        count = _build(record, store, policy)
        record.is_degraded = False
        record.recovered_at = now
        record.memory = {}
        _save(record, "recover", f"Redis answers again; {count} tasks were put back.")
    logger.warning("the pool is no longer degraded, Redis decides: %d tasks put back", count)


def rebuild(
    epoch: int, *, store: PrimaryStore, policy: PoolPolicy, follow: Follow, reason: str
) -> None:
    """Give Redis, which answers, its lost or incomplete state again; ``reason`` says what is lost.
    Raises PoolUnavailable."""
    with bounded_transaction():
        record = ActiveStoreState.objects.locked()
        if record.epoch != epoch or record.is_degraded:
            return
        _write_down_what_is_left(record, store, follow)
        count = _build(record, store, policy)
        action = "rebuild" if epoch else "build"  # the first use of the pool
        _save(
            record, action, f"The state in Redis was lost: {reason}; {count} tasks were put back."
        )
    level = logging.WARNING if epoch else logging.INFO
    logger.log(level, "the pool's state in Redis was built, %d tasks put back: %s", count, reason)


def take_over(*, store: PrimaryStore, policy: PoolPolicy) -> int:
    """Let Redis hold this ledger's state in the place of whatever installation's; how many tasks it
    has. Raises PoolUnavailable."""
    with bounded_transaction():
        record = ActiveStoreState.objects.locked()
        count = _build(record, store, policy, takes_over=True)
        if record.is_degraded:
            record.is_degraded, record.recovered_at = False, ledger_now()
            record.memory = {}
        _save(record, "take_over", f"Redis was taken over; {count} tasks were put in.")
    logger.warning("Redis was taken over, %d tasks put in", count)
    return count


def _write_down_what_is_left(
    record: ActiveStoreState, store: PrimaryStore, follow: Follow, *, at_most: int | None = None
) -> None:
    """What ended while the ledger could not be written stands in the state alone, and a sync that was
    done must not be run again because a part of that state was lost before the ledger followed.
    Those that run come first."""
    rows = (
        SyncHistory.objects.filter(
            worker_pool_task_id__isnull=False, status__in=SyncHistory.OPEN_STATUSES
        )
        .order_by("-status", "pk")
        .values_list("worker_pool_task_id", "status", "attempt")[:at_most]
    )
    known = (
        (str(task_id), status, attempt)
        for task_id, status, attempt in rows.iterator(chunk_size=BATCH)
    )
    unwritten = store.unwritten(known, of_epoch=record.epoch)
    for task in list(unwritten):  # before any of these rows is changed
        follow(task, epoch=record.epoch)


def _build(
    record: ActiveStoreState, store: PrimaryStore, policy: PoolPolicy, *, takes_over: bool = False
) -> int:
    """Give Redis the ledger's tasks in the next epoch; how many they are.

    Redis is written first and the new epoch committed afterwards. Until then every process asks
    for the old epoch, which Redis refuses, so that nobody works on a half-built state. If this
    process dies or the commit fails, Redis has an epoch that the database does not know: it is
    refused as well, and built again. The lock on ``record`` lets one process build at a time.

    No running sync is missed: none begins before the ledger holds its attempt.
    """
    record.epoch += 1
    ledger_state.adopt_unplaced()
    ledger_state.note_followers()
    tasks = ledger_state.tasks_to_rebuild(retention_seconds=policy.retention_seconds)
    return store.at(None, installation=record.installation).rebuild(
        tasks,
        epoch=record.epoch,
        controls=ledger_controls.controls_to_rebuild(),
        priority_aging=ledger_controls.agreed_aging(policy.priority_aging_seconds, record=record),
        takes_over=takes_over,
    )


def _save(record: ActiveStoreState, action: str, reason: str) -> None:
    record.reason, record.by = reason, f"{socket.gethostname()}/{os.getpid()}"
    record.save()
    audit.record(
        action,
        change=ChangeRequest(by=record.by, reason=reason),
        target=REDIS,
        after={"epoch": record.epoch},
    )
