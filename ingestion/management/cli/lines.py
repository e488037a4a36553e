"""The pool in plain lines: what a pipe gets, and the sentences that tables share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum

from ingestion.conf import celery_command
from ingestion.pool.controls import Control, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.snapshot import (
    DirectRun,
    Explanation,
    HostInfo,
    LimitInfo,
    PoolSnapshot,
    WorkerInfo,
)
from ingestion.pool.task import WorkerTask
from ingestion.pool.waits import StartRange

SHORT_ID = 8


class Detail(IntEnum):
    """How much is said about a task: its one line, who holds it, everything."""

    BRIEF = 0
    HOLDER = 1
    FULL = 2


def short_id(task: WorkerTask) -> str:
    return task.id[:SHORT_ID]


def printable(text: str) -> str:
    """In one line, without control characters: a stored text must not steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def duration(seconds: float) -> str:
    """The two largest units: ``45s``, ``2m 15s``, ``1h 5m``, ``3d 2h``."""
    rest = max(0, int(seconds))
    sizes = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in sizes:
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def slots(snapshot: PoolSnapshot) -> str:
    """``1/2 (50%)``."""
    return f"{snapshot.active_count}/{snapshot.limit.max_workers} ({snapshot.utilization:.0f}%)"


def limit(snapshot: PoolSnapshot) -> str:
    """The limit in force, what of it can be used, and who set it."""
    usable = ""
    if snapshot.effective_limit < snapshot.limit.max_workers:
        usable = f", {snapshot.effective_limit} usable with the workers online"
    found = snapshot.limit
    said = "default" if found.set_at is None else set_by(found)
    return f"{snapshot.limit.max_workers}{usable} ({said})"


def running_for(task: WorkerTask, at: datetime) -> str:
    started = task.started_at or at
    return duration((at - started).total_seconds())


def progress(task: WorkerTask) -> str:
    """What the sync has said about itself, e.g. ``rows 1200, step load``."""
    told = ", ".join(f"{name} {value}" for name, value in task.progress.items())
    return printable(told) or "nothing reported yet"


def holder(task: WorkerTask) -> str:
    """The worker that has the task; a sent task may still be on its way to one."""
    return printable(task.worker or "") or "no worker yet"


def attempt(task: WorkerTask) -> str:
    return f"attempt {task.attempt} of {task.max_attempts}"


def cancelling(task: WorkerTask) -> str:
    return ", asked to stop" if task.cancel_requested_at else ""


def active_line(task: WorkerTask, at: datetime) -> str:
    name = printable(task.route)
    return f"- Task {short_id(task)}: {name} (running for {running_for(task, at)})"


def waiting_line(task: WorkerTask) -> str:
    when = f", not before {stamp(task.not_before)}" if task.not_before else ""
    name = printable(task.route)
    return f"- Task {short_id(task)}: {name} (priority: {task.priority}{when})"


def active_details(task: WorkerTask) -> str:
    since = f" since {stamp(task.started_at)}" if task.started_at else ""
    return f"  held by {holder(task)}{since}, {attempt(task)}, {progress(task)}{cancelling(task)}"


def facts(task: WorkerTask) -> Iterator[str]:
    """What ``--verbose`` adds to a task."""
    yield f"  id {task.id}, submitted {stamp(task.queued_at)} by {requester(task)}"
    if task.after:
        named = sorted(f"{route} {task_id}" for task_id, route in task.after.items())
        yield f"  after {printable(', '.join(named))}"
    if task.parameters:
        yield f"  parameters {printable(json.dumps(task.parameters))}"
    if task.error_message:
        yield f"  last error: {printable(task.error_message)}"


def wait_facts(found: Explanation | None, at: datetime) -> Iterator[str]:
    """Why a task waits, and when it will start; nothing for one that was not explained."""
    if found is None:
        return
    yield f"  waits: {found.reason.code}. {printable(found.reason.sentence)}"
    yield f"  start: {start(found.start, at)}"


def start(found: StartRange | None, at: datetime) -> str:
    """``in 2m 10s to 5m 3s (2026-… to 2026-…), from the last 40 runs of …``."""
    if found is None:
        return "cannot be known"
    based_on = f"from {printable(found.based_on)}"
    if found.latest <= at:
        return f"now, {based_on}"
    first, last = (duration((when - at).total_seconds()) for when in (found.earliest, found.latest))
    times = f"{stamp(found.earliest)} to {stamp(found.latest)}"
    return f"in {first} to {last} ({times}), {based_on}"


def place(task: WorkerTask) -> str:
    """Where a task that waits stands."""
    front = ", at the front" if task.front_score is not None else ""
    held = f", held by {printable(task.held_by) or 'unknown'}" if task.held_at else ""
    return f"priority {task.priority}{front}{held}, revision {task.revision}"


def requester(task: WorkerTask) -> str:
    return printable(task.requested_by) or "unknown"


def active_section(snapshot: PoolSnapshot, detail: Detail) -> Iterator[str]:
    if snapshot.active:
        yield "Active tasks:"
    for task in snapshot.active:
        yield active_line(task, snapshot.taken_at)
        if detail >= Detail.HOLDER:
            yield active_details(task)
        if detail == Detail.FULL:
            yield from facts(task)


def waiting_section(
    snapshot: PoolSnapshot, title: str, tasks: Sequence[WorkerTask], total: int, detail: Detail
) -> Iterator[str]:
    """Tasks in the order in which they will run; ``total`` counts those left out too."""
    if tasks:
        yield f"{title}:"
    for task in tasks:
        yield waiting_line(task)
        if detail == Detail.FULL:
            yield from wait_facts(snapshot.waits.get(task.id), snapshot.taken_at)
            yield from facts(task)
    if total > len(tasks):
        yield f"  and {total - len(tasks)} more"


def direct_section(snapshot: PoolSnapshot) -> Iterator[str]:
    """Syncs that run outside the pool and its limit."""
    if snapshot.direct:
        yield "Outside the pool:"
    yield from (direct_line(run, snapshot.taken_at) for run in snapshot.direct)


def direct_line(run: DirectRun, at: datetime) -> str:
    by = f", schedule {run.schedule_id}" if run.schedule_id else ""
    since = duration((at - run.started_at).total_seconds())
    where = printable(run.holder)
    return f"- {printable(run.route)} ({run.execution}{by}, running for {since}, on {where})"


def at_stake(snapshot: PoolSnapshot) -> Iterator[str]:
    """What a reset ends, the first of what waits."""
    yield from active_section(snapshot, Detail.BRIEF)
    yield from waiting_sections(snapshot, Detail.BRIEF)
    if snapshot.dead_letters:
        yield from dead_letter_section(snapshot)


def waiting_sections(snapshot: PoolSnapshot, detail: Detail) -> Iterator[str]:
    for title, tasks, total in (
        ("Queued tasks", snapshot.queued, snapshot.queued_count),
        ("Delayed tasks", snapshot.delayed, snapshot.delayed_count),
        ("Held tasks", snapshot.held, snapshot.held_count),
    ):
        yield from waiting_section(snapshot, title, tasks, total, detail)


def monitor_round(snapshot: PoolSnapshot) -> Iterator[str]:
    """One round of ``monitor``."""
    yield f"[{stamp(snapshot.taken_at)}]"
    yield f"Max workers: {snapshot.limit.max_workers}"
    yield f"Active: {slots(snapshot)}"
    yield f"Queued: {snapshot.queued_count}"
    yield from (f"{name}: {value}" for name, value in degraded(snapshot).items())
    yield from active_section(snapshot, Detail.BRIEF)
    yield from direct_section(snapshot)
    yield from waiting_sections(snapshot, Detail.BRIEF)


def worker_line(worker: WorkerInfo, at: datetime) -> str:
    seen = duration((at - worker.last_seen_at).total_seconds())
    release = f", release {printable(worker.release)}" if worker.release else ""
    return (
        f"- {printable(worker.name)}: {worker_state(worker)}, {worker.capacity} processes{release}, "
        f"seen {seen} ago"
    )


def worker_state(worker: WorkerInfo) -> str:
    if worker.is_online:
        return "online"
    return "leaving" if worker.is_leaving else "offline"


def host_line(host: HostInfo) -> str:
    releases = f", release {printable(', '.join(host.releases))}" if host.releases else ""
    return (
        f"Host {printable(host.name)}: {host_workers(host)}, {host.capacity} processes, "
        f"{host.running} running{releases}"
    )


def host_workers(host: HostInfo) -> str:
    leaving = f", {host.workers_leaving} leaving" if host.workers_leaving else ""
    return f"{host.workers_online} online{leaving}"


def workers_online(snapshot: PoolSnapshot) -> str:
    if not snapshot.workers and snapshot.degraded:
        return "none heard yet since the pool is degraded; each reports every ten seconds"
    if not snapshot.workers:
        return f"none seen yet; start one with '{celery_command('worker')}'"
    online = sum(worker.is_online for worker in snapshot.workers)
    return f"{online} of {len(snapshot.workers)}"


def monitor_age(snapshot: PoolSnapshot) -> str:
    age = snapshot.monitor_age_seconds
    if age is not None:
        return f"last round {duration(age)} ago"
    return "no round since the pool is degraded" if snapshot.degraded else "has not run yet"


def beat_age(snapshot: PoolSnapshot) -> str:
    age = snapshot.beat_age_seconds
    return "not seen yet" if age is None else f"last tick {duration(age)} ago"


def outside(snapshot: PoolSnapshot) -> dict[str, str]:
    """How many syncs run outside the pool; nothing when none does."""
    count = len(snapshot.direct)
    return {"Outside the pool": f"{count} running beside the limit"} if count else {}


def counters(snapshot: PoolSnapshot) -> str:
    named = sorted(snapshot.counters.items())
    return ", ".join(f"{name} {count}" for name, count in named) or "none"


def dead_letter_section(snapshot: PoolSnapshot) -> Iterator[str]:
    """Stored tasks that could not be read, and why."""
    yield f"Set aside as unreadable: {len(snapshot.dead_letters)}"
    for task_id, why in sorted(snapshot.dead_letters.items()):
        yield f"- {printable(task_id)}: {printable(why)}"


def degraded(snapshot: PoolSnapshot) -> dict[str, str]:
    """Since when and why; nothing while all is well."""
    if not snapshot.degraded:
        return {}
    since = stamp(snapshot.degraded_since or snapshot.taken_at)
    return {"Degraded": f"since {since}: {printable(snapshot.degraded_reason)}"}


def control_lines(found: PoolControls) -> Iterator[str]:
    """The limits and pauses beside the limit of the pool."""
    for crm_source, limit in found.crm_limits.items():
        yield f"Limit of {printable(crm_source)}: {limit.value} ({set_by(limit)})"
    if found.pause:
        yield f"Paused: the pool ({set_by(found.pause)})"
    for crm_source, pause in found.crm_pauses.items():
        yield f"Paused: {printable(crm_source)} ({set_by(pause)})"


def aging(found: PriorityAging) -> str:
    """What a level of priority is worth, and who said so."""
    worth = f"{found.seconds:g} s of waiting a level" if found.seconds else "none, strict priority"
    said = set_by(found) if found.set_by else "default"
    return f"{worth} ({said})" + (", being put into force" if found.is_rescoring else "")


def warnings(snapshot: PoolSnapshot) -> Iterator[str]:
    yield from (f"Warning: {printable(warning)}" for warning in snapshot.warnings)
    if snapshot.sandboxed_crms:
        names = ", ".join(snapshot.sandboxed_crms)
        yield f"Sandbox: what is loaded of {names} is made up"


def set_by(found: Control | LimitInfo | PriorityAging) -> str:
    """Who, when, until when, why."""
    ends = None if isinstance(found, PriorityAging) else found.expires_at
    until = f" until {stamp(ends)}" if ends else ""
    reason = f": {printable(found.reason)}" if found.reason else ""
    at = f" at {stamp(found.set_at)}" if found.set_at else ""
    return f"set by {printable(found.set_by) or 'unknown'}{at}{until}{reason}"


def summary(snapshot: PoolSnapshot) -> dict[str, str]:
    """The pool's numbers by their names, as ``status`` shows them."""
    return {
        "State": snapshot.state,
        **degraded(snapshot),
        "Taken at": stamp(snapshot.taken_at),
        "Max workers": limit(snapshot),
        "Priority aging": aging(snapshot.controls.priority_aging),
        "Active": slots(snapshot),
        **outside(snapshot),
        "Available workers": str(snapshot.available_workers),
        "Queued": str(snapshot.queued_count),
        "Delayed": str(snapshot.delayed_count),
        "Held": str(snapshot.held_count),
        "Workers online": workers_online(snapshot),
        "Monitor": monitor_age(snapshot),
        "Beat": beat_age(snapshot),
        "Counters": counters(snapshot),
    }


def status(snapshot: PoolSnapshot, *, verbose: bool) -> Iterator[str]:
    """The whole pool, as ``status`` prints it on a pipe."""
    detail = Detail.FULL if verbose else Detail.HOLDER
    yield from (f"{name}: {value}" for name, value in summary(snapshot).items())
    yield from control_lines(snapshot.controls)
    yield from warnings(snapshot)
    yield from active_section(snapshot, detail)
    yield from direct_section(snapshot)
    yield from waiting_sections(snapshot, detail)
    if verbose:
        yield from map(host_line, snapshot.hosts)
        yield from (worker_line(worker, snapshot.taken_at) for worker in snapshot.workers)
    yield from dead_letter_section(snapshot)
