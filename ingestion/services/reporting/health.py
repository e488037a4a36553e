"""What an operator must look at, told from one snapshot; for monitoring systems."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from ingestion.conf import celery_command
from ingestion.pool.snapshot import PoolSnapshot

# A monitor that missed this many of its rounds is overdue.
MISSED_ROUNDS = 3
# Within this time every worker reports to the ledger when the pool has become degraded.
WORKERS_REPORT_SECONDS = 60.0
# Beat writes down what it has sent every three minutes.
BEAT_NOTE_SECONDS = 180.0


def problems(
    snapshot: PoolSnapshot,
    *,
    monitor_seconds: float,
    max_wait_minutes: float,
    up_seconds: float = math.inf,
) -> Iterator[str]:
    """What keeps tasks from being run and repaired, each as one sentence with its cure.
    ``up_seconds``: for how long the system can have run; nothing is overdue that had no time yet."""
    if snapshot.degraded:
        yield _degraded(snapshot)
    if _is_without_workers(snapshot):
        yield f"No Celery worker is online; start one with '{celery_command('worker')}'."
    if _awaits_monitor(snapshot, monitor_seconds) and up_seconds > MISSED_ROUNDS * monitor_seconds:
        age = snapshot.monitor_age_seconds
        yield f"The monitor is overdue ({_last_round(age)}); see whether beat is running."
    yield from _beat(snapshot, monitor_seconds, up_seconds)
    yield from _waiting(snapshot, monitor_seconds, max_wait_minutes)
    if snapshot.dead_letters:
        yield (
            f"{_counted(len(snapshot.dead_letters), 'entry', 'entries')} could not be read and set "
            "aside; see 'status --verbose', then 'doctor --repair'."
        )


def _is_without_workers(snapshot: PoolSnapshot) -> bool:
    """When the ledger takes over it has heard of no worker yet: then nobody knows for a while."""
    if any(worker.is_online for worker in snapshot.workers):
        return False
    since = snapshot.degraded_since
    if not snapshot.degraded or since is None:
        return True
    return snapshot.taken_at - since > timedelta(seconds=WORKERS_REPORT_SECONDS)


def notes(snapshot: PoolSnapshot, *, monitor_seconds: float, up_seconds: float) -> Iterator[str]:
    """What only takes its time, while the system is new."""
    if not _awaits_monitor(snapshot, monitor_seconds):
        return
    if up_seconds <= monitor_seconds:
        minutes = math.ceil((monitor_seconds - up_seconds) / 60) or 1
        yield f"The system has just started: the monitor's first round is due within {minutes} min."
    elif up_seconds <= MISSED_ROUNDS * monitor_seconds:
        yield "The system has just started: the monitor's first round is due any moment."


def _awaits_monitor(snapshot: PoolSnapshot, monitor_seconds: float) -> bool:
    age = snapshot.monitor_age_seconds
    return age is None or age > MISSED_ROUNDS * monitor_seconds


def _degraded(snapshot: PoolSnapshot) -> str:
    since = snapshot.degraded_since
    when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    return f"The pool is degraded{when}: {snapshot.degraded_reason.rstrip('.')}."


def _last_round(age: float | None) -> str:
    return "it has not run yet" if age is None else f"its last round was {age:.0f} s ago"


def _beat(snapshot: PoolSnapshot, monitor_seconds: float, up_seconds: float) -> Iterator[str]:
    age, patience = snapshot.beat_age_seconds, MISSED_ROUNDS * monitor_seconds + BEAT_NOTE_SECONDS
    if age is not None and min(age, up_seconds) > patience:
        yield (
            f"Beat is dead: its last tick was {age / 60:.0f} minutes ago, and no schedule starts; "
            f"start one with '{celery_command('beat')}'."
        )


def _waiting(
    snapshot: PoolSnapshot, monitor_seconds: float, max_wait_minutes: float
) -> Iterator[str]:
    """Whether the queue moves. Nobody can start anything while no worker is online; that is told
    already."""
    if snapshot.oldest_queued_at is None or not snapshot.effective_limit:
        return
    pauses = snapshot.controls.pause_of
    if snapshot.queued_by_crm and all(pauses(crm) for crm in snapshot.queued_by_crm):
        return  # what waits is kept waiting on purpose
    waited = snapshot.taken_at - snapshot.oldest_queued_at
    if snapshot.active_count < snapshot.effective_limit:
        if waited > timedelta(seconds=monitor_seconds):
            tasks = _counted(snapshot.queued_count, "task waits", "tasks wait")
            yield f"{tasks} although a slot is free; see 'doctor'."
    elif waited > timedelta(minutes=max_wait_minutes):
        yield (
            f"Overloaded for long: every slot is taken, and the oldest of "
            f"{_counted(snapshot.queued_count, 'queued task', 'queued tasks')} has waited for "
            f"{waited.total_seconds() / 60:.0f} minutes; see 'config --max-workers'."
        )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
