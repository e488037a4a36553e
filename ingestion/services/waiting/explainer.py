"""Why each waiting task waits, where it stands, and when it will start.

What a snapshot shows is played with the run times of the past. Of a task that stands further back
the store says how many tasks of each CRM stand before it, and its start is reckoned from these
counts: nothing but the head of a queue is ever read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ingestion.pool.controls import Control
from ingestion.pool.order_rule import OrderRule
from ingestion.pool.snapshot import Explanation, PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.pool.waits import Reason, ReasonCode, StartRange
from ingestion.services.waiting import estimate
from ingestion.services.waiting.cache import RecentSpans, Spans
from ingestion.services.waiting.run_times import Learned, RunTimes
from ingestion.services.waiting.simulation import NOW, Limits, Runs, Scene, Span, Waits, spans
from ingestion.services.waiting.wait_reasons import Reasons

Route = tuple[str, str]
RunsLearned = Mapping[Route, Learned]

NAMED_SOURCES = 3
# Starts that depend on a person, a worker or a server cannot be forecast_lines.
UNFORESEEABLE = (
    ReasonCode.HELD,
    ReasonCode.AFTER,
    ReasonCode.NO_WORKER,
    ReasonCode.UNKNOWN_TO_WORKERS,
    ReasonCode.DEGRADED,
)


class Explainer:
    """``default_max_workers`` as in the pool's policy."""

    def __init__(self, run_times: RunTimes, *, default_max_workers: int) -> None:
        self._run_times = run_times
        self._default_max_workers = default_max_workers
        self._recent = RecentSpans()

    def explained(self, snapshot: PoolSnapshot) -> PoolSnapshot:
        """With ``waits`` for every task that it shows waiting."""
        return replace(snapshot, waits={found.task.id: found for found in self._all(snapshot)})

    def with_task(self, snapshot: PoolSnapshot, task: WorkerTask) -> PoolSnapshot | None:
        """As if the task had just been queued; None when its place lies beyond what is shown."""
        new = replace(task, queued_at=snapshot.taken_at)
        place_of = _rule(snapshot).place_of
        place = bisect_right([place_of(other) for other in snapshot.queued], place_of(new))
        if place == len(snapshot.queued) < snapshot.queued_count:
            return None
        line = (*snapshot.queued[:place], new, *snapshot.queued[place:])
        return replace(snapshot, queued=line, queued_count=snapshot.queued_count + 1)

    def far_back(
        self, snapshot: PoolSnapshot, task: WorkerTask, ahead: Mapping[str, int]
    ) -> Explanation:
        """Of a QUEUED task that the snapshot does not show; ``ahead`` as the store counts them."""
        why = Reasons(snapshot).of(task, starts_now=False)
        has_place = not task.held_place and _seconds(task.not_before, snapshot.taken_at) >= 0
        position = 1 + sum(ahead.values()) if has_place else None
        if task.held_place:
            return Explanation(task, position, why, None)
        running = _running_seconds(snapshot)
        learned = {crm: self._run_times.of_crm(crm) for crm in sorted({*ahead, *running})}
        ready_in = max(0.0, -_seconds(task.not_before, snapshot.taken_at))
        backlog = estimate.Backlog(task.crm_source, ahead, running, ready_in)
        limits = list(_limits(snapshot, self._default_max_workers))
        found = estimate.span(backlog, limits, learned)
        based_on = _listed(list(dict.fromkeys(one.based_on for one in learned.values())))
        return Explanation(task, position, why, _start(snapshot.taken_at, why, found, based_on))

    def _all(self, snapshot: PoolSnapshot) -> Iterator[Explanation]:
        places = {task.id: place for place, task in enumerate(snapshot.queued, start=1)}
        line = _line(snapshot)
        learned = self._learned(snapshot.active, line)
        found = self._spans(snapshot, line, learned)
        sources, reasons = _sources(snapshot.active, line, learned), Reasons(snapshot)
        for task, span, based_on in zip(line, found, sources, strict=True):
            why = reasons.of(task, starts_now=span == NOW)
            start = _start(snapshot.taken_at, why, span, based_on)
            yield Explanation(task, places.get(task.id), why, start)
        for task in snapshot.held:
            yield Explanation(task, None, reasons.of(task, starts_now=False), None)

    def _learned(self, active: Iterable[WorkerTask], line: Iterable[WorkerTask]) -> RunsLearned:
        routes = {_route(task) for task in (*active, *line)}
        return {route: self._run_times.of(*route) for route in routes}

    def _spans(
        self, snapshot: PoolSnapshot, line: Sequence[WorkerTask], learned: RunsLearned
    ) -> Spans:
        """To play the queue is dear: as long as it looks the same, it is not played again."""
        limits = list(_limits(snapshot, self._default_max_workers))
        seen = (
            [(task.id, task.attempt) for task in snapshot.active],
            [(task.id, task.not_before) for task in line],
            [(limit.slots, limit.per_crm) for limit in limits],
            [control.expires_at for control in _controls(snapshot)],
            learned,
        )
        scene = _scene(snapshot, line, limits)
        return self._recent.of(
            seen, snapshot.taken_at, lambda: spans(scene, lambda *route: learned[route])
        )


def _rule(snapshot: PoolSnapshot) -> OrderRule:
    return snapshot.controls.priority_aging.rule


def _line(snapshot: PoolSnapshot) -> Sequence[WorkerTask]:
    """The queue in its order, each delayed task where it will stand when its time has come."""
    line, place_of = list(snapshot.queued), _rule(snapshot).place_of
    places = [place_of(task) for task in line]
    for task in sorted(snapshot.delayed, key=place_of):
        at = bisect_right(places, place_of(task))
        line.insert(at, task)
        places.insert(at, place_of(task))
    return line


def _route(task: WorkerTask) -> Route:
    return (task.crm_source, task.sync_type)


def _sources(
    active: Iterable[WorkerTask], line: Iterable[WorkerTask], learned: RunsLearned
) -> Iterator[str]:
    """What the start of each task in the line was learned from: those that run or stand before
    it."""
    seen = {learned[_route(task)].based_on: None for task in active}
    for task in line:
        yield _listed(list(seen))
        seen.setdefault(learned[_route(task)].based_on)


def _listed(sources: Sequence[str]) -> str:
    rest = len(sources) - NAMED_SOURCES
    return ", ".join(sources[:NAMED_SOURCES]) + (f" and {rest} more" if rest > 0 else "")


def _start(taken_at: datetime, why: Reason, span: Span | None, based_on: str) -> StartRange | None:
    if span is None or why.code in UNFORESEEABLE:
        return None
    earliest, latest = (
        taken_at + timedelta(seconds=seconds)
        for seconds in (span.earliest_seconds, span.latest_seconds)
    )
    if why.code == ReasonCode.NEXT:
        return StartRange(earliest, latest, "a free slot")
    return StartRange(earliest, latest, based_on or "its time")


def _scene(snapshot: PoolSnapshot, line: Sequence[WorkerTask], limits: Sequence[Limits]) -> Scene:
    now = snapshot.taken_at
    running = [
        Runs(task.crm_source, task.sync_type, _seconds(task.started_at, now))
        for task in snapshot.active
    ]
    waiting = [
        Waits(task.crm_source, task.sync_type, -_seconds(task.not_before, now)) for task in line
    ]
    return Scene(running, waiting, limits)


def _running_seconds(snapshot: PoolSnapshot) -> Mapping[str, Sequence[float]]:
    """For how long the tasks that run have done so, by CRM."""
    found = defaultdict[str, list[float]](list)
    for task in snapshot.active:
        found[task.crm_source].append(_seconds(task.started_at, snapshot.taken_at))
    return found


def _seconds(since: datetime | None, now: datetime) -> float:
    """Negative for a time to come."""
    return (now - since).total_seconds() if since else 0.0


def _limits(snapshot: PoolSnapshot, default_max_workers: int) -> Iterator[Limits]:
    """As they will change by themselves: whenever a pause or a limit ends."""
    ends = {control.expires_at for control in _controls(snapshot) if control.expires_at}
    for when in (snapshot.taken_at, *sorted(ends)):
        yield Limits(
            (when - snapshot.taken_at).total_seconds(),
            _slots(snapshot, when, default_max_workers),
            {**_crm_limits(snapshot, when), **_crm_pauses(snapshot, when)},
        )


def _controls(snapshot: PoolSnapshot) -> Iterator[Control]:
    found = snapshot.controls
    yield from (control for control in (found.pause, found.max_workers) if control)
    yield from (*found.crm_limits.values(), *found.crm_pauses.values())


def _slots(snapshot: PoolSnapshot, when: datetime, default_max_workers: int) -> int:
    """None is usable while the pool is paused."""
    pause, limit = snapshot.controls.pause, snapshot.controls.max_workers
    if pause is not None and not pause.is_over(when):
        return 0
    if limit is None or not limit.is_over(when):
        return snapshot.effective_limit
    behind = snapshot.controls.behind.get("", default_max_workers)
    online = [worker.capacity for worker in snapshot.workers if worker.is_online]
    return min(behind, sum(online)) if snapshot.workers else behind


def _crm_limits(snapshot: PoolSnapshot, when: datetime) -> dict[str, int]:
    found = snapshot.controls
    held = {crm: limit.value for crm, limit in found.crm_limits.items() if not limit.is_over(when)}
    behind = {crm: limit for crm, limit in found.behind.items() if crm}
    return {**behind, **held}


def _crm_pauses(snapshot: PoolSnapshot, when: datetime) -> dict[str, int]:
    """A pause is a limit of none."""
    pauses = snapshot.controls.crm_pauses
    return {crm: 0 for crm, pause in pauses.items() if not pause.is_over(when)}
