"""How long a task waits for a slot: Erlang's formula, and a simulation for what the formula leaves out.

The formula holds for arrivals at random moments. Schedules begin at full hours, so that a queue is
there although the slots are idle most of the hour; and of a wait one wants the 99th percentile.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from statistics import quantiles

SEED = 18
HOUR_SECONDS = 3600.0


def chance_to_wait(offered: float, slots: int) -> float:
    """Erlang's C: which share of the tasks finds no slot free. ``offered``: the mean number of slots
    that are taken, which is arrivals a second times seconds of a task. At least as many as there are
    slots: 1.

    By the recursion of Erlang's B, 1/B(n) = 1 + n/offered * 1/B(n-1), which needs no factorials
    (Cooper, Introduction to Queueing Theory, 1981, p. 82 and 92).
    """
    if offered >= slots:
        return 1.0
    if not offered:
        return 0.0
    inverse = 1.0
    for number in range(1, slots + 1):
        inverse = 1.0 + number / offered * inverse
    blocked = 1 / inverse
    return blocked / (1 - offered / slots * (1 - blocked))


def mean_wait_seconds(per_second: float, task_seconds: float, slots: int) -> float:
    """Of all tasks, those that need not wait too; infinite where they come faster than they end."""
    offered = per_second * task_seconds
    if offered >= slots:
        return float("inf")
    return chance_to_wait(offered, slots) * task_seconds / (slots - offered)


def at_random(per_second: float, count: int) -> Iterator[float]:
    """The moments of so many arrivals, in seconds."""
    draw, moment = random.Random(SEED), 0.0
    for _ in range(count):
        moment += draw.expovariate(per_second)
        yield moment


def at_full_hours(per_second: float, count: int) -> Iterator[float]:
    """All tasks of an hour at its beginning."""
    each_hour = max(1, round(per_second * HOUR_SECONDS))
    for number in range(count):
        yield number // each_hour * HOUR_SECONDS


def waits(arrivals: Iterator[float], task_seconds: float, slots: int) -> list[float]:
    """How many seconds each waits until a slot is free, first come first served; the length of a task
    is exponential."""
    draw, found = random.Random(SEED + 1), []
    free_at = [0.0] * slots  # a heap: the slot that is free first is taken
    for arrival in arrivals:
        start = max(arrival, free_at[0])
        heapq.heapreplace(free_at, start + draw.expovariate(1 / task_seconds))
        found.append(start - arrival)
    return found


def median_and_99th(found: list[float]) -> tuple[float, float]:
    hundredths = quantiles(found, n=100)
    return hundredths[49], hundredths[98]
