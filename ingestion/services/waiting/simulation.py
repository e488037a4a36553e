"""When waiting tasks will start: the queue is played many times with run times of the past.

Times are seconds from now. A play follows the pool's own rule: whenever a slot is free, the first
task in the queue's order whose CRM is below its limit starts.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from ingestion.services.waiting.run_times import Learned

NEVER = math.inf
# Of a hundred plays, 86 have the start between these.
EARLIEST_QUANTILE, LATEST_QUANTILE = 0.07, 0.93
# A play costs some microseconds per task; more plays than this say no more.
PLAYED_TASKS, FEWEST_PLAYS, MOST_PLAYS = 3000, 20, 80
# The same queue gives the same range: it must not flicker from look to look.
SEED = 5

Learn = Callable[[str, str], Learned]


@dataclass(frozen=True)
class Runs:
    """A task that holds a slot."""

    crm_source: str
    sync_type: str
    elapsed_seconds: float


@dataclass(frozen=True)
class Waits:
    """A task of the queue; it may start ``ready_in_seconds`` from now at the earliest."""

    crm_source: str
    sync_type: str
    ready_in_seconds: float = 0.0


@dataclass(frozen=True)
class Limits:
    """From a moment on: how many may run at once, of all and of single CRMs. A paused one is 0."""

    from_seconds: float
    slots: int
    per_crm: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """``waiting`` in the queue's order; ``limits`` by time, the first from 0 on."""

    running: Sequence[Runs]
    waiting: Sequence[Waits]
    limits: Sequence[Limits]


@dataclass(frozen=True)
class Span:
    """A start lies between these; equal ones are a certainty."""

    earliest_seconds: float
    latest_seconds: float


NOW = Span(0, 0)


def spans(scene: Scene, learn: Learn) -> list[Span | None]:
    """One for every waiting task; None where the start cannot be known, or will never be."""
    tasks: list[Runs | Waits] = [*scene.running, *scene.waiting]
    routes = {(task.crm_source, task.sync_type) for task in tasks}
    learned = {route: learn(*route) for route in routes}
    if not all(found.is_known for found in learned.values()):
        return [NOW if start == 0 else None for start in _at_once(scene)]
    random = Random(SEED)
    plays = [_play(scene, learned, random) for _ in range(_plays(len(scene.waiting)))]
    return [_span(sorted(starts)) for starts in zip(*plays, strict=True)]


def _plays(tasks: int) -> int:
    return max(FEWEST_PLAYS, min(MOST_PLAYS, PLAYED_TASKS // max(1, tasks)))


def _at_once(scene: Scene) -> Sequence[float]:
    """0 for what starts now, whatever the run times are."""
    lasting = Durations([NEVER] * len(scene.running), [NEVER] * len(scene.waiting))
    return Play(scene, lasting).starts()


def _span(starts: Sequence[float]) -> Span | None:
    earliest = starts[int(EARLIEST_QUANTILE * (len(starts) - 1))]
    latest = starts[math.ceil(LATEST_QUANTILE * (len(starts) - 1))]
    return None if latest == NEVER else Span(earliest, latest)


@dataclass(frozen=True)
class Durations:
    """Seconds that are left to what runs, and that what waits will take."""

    running: Sequence[float]
    waiting: Sequence[float]


def _play(
    scene: Scene, learned: Mapping[tuple[str, str], Learned], random: Random
) -> Sequence[float]:
    # Few runs say little of all runs to come: a whole play may be slower or faster than they were.
    factors = {route: _factor(found, random) for route, found in learned.items()}
    running = []
    for task in scene.running:
        route = (task.crm_source, task.sync_type)
        likely = [seconds * factors[route] for seconds in learned[route].seconds]
        running.append(_left(likely, task.elapsed_seconds, random))
    waiting = []
    for waits in scene.waiting:
        route = (waits.crm_source, waits.sync_type)
        waiting.append(random.choice(learned[route].seconds) * factors[route])
    return Play(scene, Durations(running, waiting)).starts()


def _factor(learned: Learned, random: Random) -> float:
    return math.exp(random.gauss(0, 1 / math.sqrt(len(learned.seconds))))


def _left(likely: Sequence[float], elapsed_seconds: float, random: Random) -> float:
    """Of a run that has lasted so long; one that outlasts all past ones may last as long again."""
    longer = [seconds for seconds in likely if seconds > elapsed_seconds]
    if longer:
        return random.choice(longer) - elapsed_seconds
    return elapsed_seconds * random.expovariate(1)


class Play:
    """One possible future of the queue."""

    def __init__(self, scene: Scene, durations: Durations) -> None:
        self._scene = scene
        self._durations = durations
        self._starts = [NEVER] * len(scene.waiting)
        self._left = len(scene.waiting)
        self._limits = scene.limits[0]
        self._running: Counter[str] = Counter(task.crm_source for task in scene.running)
        self._active = len(scene.running)
        self._queues: dict[str, list[int]] = defaultdict(list)
        # When, and what: a change of the limits, a place in the queue, or the CRM whose task ends.
        self._events: list[tuple[float, int, Limits | int | str]] = []
        self._numbers = itertools.count()

    def starts(self) -> Sequence[float]:
        """When each waiting task starts; NEVER for what nothing ever lets start."""
        self._plan()
        now = 0.0
        while now < NEVER and self._left:
            while self._events and self._events[0][0] <= now:
                self._happen(heapq.heappop(self._events)[2])
            self._fill(now)
            now = self._events[0][0] if self._events else NEVER
        return self._starts

    def _plan(self) -> None:
        for limits in self._scene.limits:
            self._add(limits.from_seconds, limits)
        for task, seconds in zip(self._scene.running, self._durations.running, strict=True):
            self._add(seconds, task.crm_source)
        for place, waits in enumerate(self._scene.waiting):
            if waits.ready_in_seconds > 0:
                self._add(waits.ready_in_seconds, place)
            else:
                self._queues[waits.crm_source].append(place)

    def _add(self, when: float, what: Limits | int | str) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def _happen(self, what: Limits | int | str) -> None:
        if isinstance(what, Limits):
            self._limits = what
        elif isinstance(what, int):
            heapq.heappush(self._queues[self._scene.waiting[what].crm_source], what)
        else:
            self._active -= 1
            self._running[what] -= 1

    def _fill(self, now: float) -> None:
        while self._active < self._limits.slots and (heads := list(self._heads())):
            place, crm_source = min(heads)
            heapq.heappop(self._queues[crm_source])
            self._starts[place] = now
            self._left -= 1
            self._active += 1
            self._running[crm_source] += 1
            self._add(now + self._durations.waiting[place], crm_source)

    def _heads(self) -> Iterator[tuple[int, str]]:
        """The first of every CRM that is below its limit."""
        caps = self._limits.per_crm
        for crm_source, queue in self._queues.items():
            if queue and self._running[crm_source] < caps.get(crm_source, NEVER):
                yield queue[0], crm_source
