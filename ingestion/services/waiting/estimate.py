"""When a task far back will start: from how many tasks of each CRM stand before it, and how long
their runs take. The work before it flows through the slots, as water does: no task is looked at.

Seconds of work of every CRM flow at most as fast as its own limit allows, and together as fast as
the slots do. The task starts when a slot is left over for it: nothing of what may start before it
is still to be done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ingestion.services.waiting.run_times import Learned
from ingestion.services.waiting.simulation import NEVER, Limits, Span

# As in a simulation, 86 of a hundred starts lie between the ends: so many standard deviations.
DEVIATIONS = 1.476
# Less than so many seconds of work is none, and so much of a slot is no free one.
NO_WORK = NO_SLOT = 1e-6


@dataclass(frozen=True)
class Backlog:
    """``ahead``: tasks that wait before this one, by CRM; ``running``: for how many seconds the
    tasks that run have done so, by CRM. ``ready_in_seconds``: it may not start before."""

    crm_source: str
    ahead: Mapping[str, int]
    running: Mapping[str, Sequence[float]]
    ready_in_seconds: float = 0.0


def span(backlog: Backlog, limits: Sequence[Limits], learned: Mapping[str, Learned]) -> Span | None:
    """None where the start cannot be known, or will never be. ``learned`` by CRM, of those in the
    backlog; ``limits`` by time, the first from 0 on."""
    if not all(found.is_known for found in learned.values()):
        return None
    work = {crm: _work(backlog, crm, found) for crm, found in learned.items()}
    spread = DEVIATIONS * _relative_deviation(backlog, learned)
    earliest, latest = (
        max(backlog.ready_in_seconds, _start(backlog.crm_source, work, limits, factor=factor))
        for factor in (math.exp(-spread), math.exp(spread))
    )
    return None if latest == NEVER else Span(earliest, latest)


def _work(backlog: Backlog, crm: str, learned: Learned) -> float:
    """Seconds of a slot."""
    mean, _ = _mean_and_variance(learned.seconds)
    left = sum(_left(elapsed, learned) for elapsed in backlog.running.get(crm, ()))
    return backlog.ahead.get(crm, 0) * mean + left


@lru_cache(maxsize=64)
def _mean_and_variance(seconds: tuple[float, ...]) -> tuple[float, float]:
    mean = math.fsum(seconds) / len(seconds)
    return mean, math.fsum((one - mean) ** 2 for one in seconds) / len(seconds)


def _left(elapsed: float, learned: Learned) -> float:
    """Of a run; one that outlasts all past ones may last as long again."""
    longer = [seconds for seconds in learned.seconds if seconds > elapsed]
    return math.fsum(longer) / len(longer) - elapsed if longer else elapsed


def _relative_deviation(backlog: Backlog, learned: Mapping[str, Learned]) -> float:
    """Of all the work: single runs differ, and few past runs say little of all runs to come."""
    work = variance = 0.0
    for crm, found in learned.items():
        count = backlog.ahead.get(crm, 0) + len(backlog.running.get(crm, ()))
        mean, of_one = _mean_and_variance(found.seconds)
        work += count * mean
        variance += count * of_one + (count * mean) ** 2 / len(found.seconds)
    return math.sqrt(variance) / work if work else 0.0


def _start(
    crm_source: str, work: Mapping[str, float], limits: Sequence[Limits], *, factor: float
) -> float:
    """Seconds from now, if every run takes ``factor`` times as long as the past ones."""
    left = {crm: seconds * factor for crm, seconds in work.items() if seconds > NO_WORK}
    ends = [after.from_seconds for after in limits[1:]] + [NEVER]
    for now, end in zip(limits, ends, strict=True):
        started_at = _flow(crm_source, left, now, until=end - now.from_seconds)
        if started_at is not None:
            return now.from_seconds + started_at
    return NEVER


def _flow(crm_source: str, left: dict[str, float], limits: Limits, *, until: float) -> float | None:
    """Let the work flow for so long under one set of limits, out of ``left``; when the task starts
    within, else None."""
    at = 0.0
    while at < until:
        rates = _rates(left, limits)
        has_room = rates.get(crm_source, 0) < limits.per_crm.get(crm_source, NEVER)
        if has_room and sum(rates.values()) < limits.slots - NO_SLOT:
            return at
        step = min([until - at, *(left[crm] / rate for crm, rate in rates.items() if rate)])
        if step == NEVER:
            return None
        at += step
        for crm, rate in rates.items():
            left[crm] -= rate * step
        for crm in [crm for crm, seconds in left.items() if seconds <= NO_WORK]:
            del left[crm]
    return None


def _rates(left: Mapping[str, float], limits: Limits) -> dict[str, float]:
    """How many slots the work of each CRM has: as many as its limit allows, and what they leave is
    shared by those without one, by how much is left of them."""
    capped = {crm: float(limits.per_crm[crm]) for crm in left if crm in limits.per_crm}
    share = min(1.0, limits.slots / sum(capped.values())) if sum(capped.values()) else 1.0
    rates = {crm: cap * share for crm, cap in capped.items()}
    free = {crm: seconds for crm, seconds in left.items() if crm not in capped}
    slots, whole = limits.slots - sum(rates.values()), sum(free.values())
    return rates | {crm: slots * seconds / whole for crm, seconds in free.items()}
