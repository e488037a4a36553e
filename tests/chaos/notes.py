"""What the chaos itself did, and when: the half of the truth that the syncs cannot write down.

Times are seconds of the machine's monotonic clock, as in the lines of the syncs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.runs import Run

# How a sync writes down that its worker was shut down.
INTERRUPTED = "SyncInterrupted"
# Between the last line of a sync and the ledger's note of it.
REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class Kill:
    """One process of a ``group``, or with ``is_group`` every process of it."""

    at: float
    pid: int
    is_group: bool
    group: int = 0


@dataclass(frozen=True)
class End:
    """A group of processes that was asked to end; ``is_cold``: at once, whatever it does."""

    at: float
    group: int
    is_cold: bool = False


@dataclass(frozen=True)
class Death:
    """A process that ended, and not by the chaos."""

    at: float
    name: str
    group: int
    code: int | None

    def __str__(self) -> str:
        return f"{self.name} ended by itself: {self.code}"


@dataclass
class Stop:
    """A group of processes that stood still; ``until`` None while it does."""

    group: int
    since: float
    until: float | None = None


@dataclass
class Harm:
    """A fault, from before it was done until after it was undone. ``told``: what it was done to."""

    kind: str
    since: float
    until: float | None = None
    told: str = ""


@dataclass
class LimitChange:
    """In force at the earliest when it was asked for, at the latest when it was answered;
    ``answered_at`` None: nobody knows whether it ever was."""

    max_workers: int
    asked_at: float
    answered_at: float | None = None


@dataclass(frozen=True)
class Call:
    """One of the web process. ``refusal``: the class of the error; empty when it was answered."""

    endpoint: str
    asked_at: float
    until: float
    refusal: str = ""

    @property
    def seconds(self) -> float:
        return self.until - self.asked_at


@dataclass(frozen=True)
class Accepted:
    """A task whose id was given to its submitter."""

    task_id: str
    asked_at: float
    answered_at: float
    priority: int = 0


@dataclass
class Notes:
    """``cancels``: what was asked to be cancelled, and whether the pool said yes."""

    kills: list[Kill] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    limits: list[LimitChange] = field(default_factory=list)
    accepted: dict[str, Accepted] = field(default_factory=dict)
    max_attempts: dict[str, int] = field(default_factory=dict)
    cancels: dict[str, bool] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    harms: list[Harm] = field(default_factory=list)
    died: list[Death] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def killed(self, pid: int, *, group: int, is_group: bool = False) -> None:
        self.kills.append(Kill(time.monotonic(), pid, is_group, group))

    def has_been(
        self, kinds: Set[str], *, since: float = float("-inf"), until: float = float("inf")
    ) -> bool:
        """Whether one of these faults was there at some moment between the two."""
        return any(
            harm.kind in kinds
            and harm.since <= until
            and (harm.until is None or harm.until >= since)
            for harm in self.harms
        )

    def was_interrupted(self, run: Run) -> bool:
        """Its worker was told to end, or died, while it ran; or it began before its worker had
        heard of its end; or it was done, and its worker had to end before it could say so."""
        if run.is_done:
            assert run.end is not None
            return self._was_ended_cold(run, until=run.end + REPORT_SECONDS)
        return any(
            end.group == run.group
            and (end.at >= run.start or run.how == INTERRUPTED)
            and (run.end is None or run.ran_until >= end.at - 1)
            for end in (*self.ends, *self.died)
        )

    def was_hit(self, run: Run, *, within_seconds: float) -> bool:
        """Its process was killed, told to end at once or stood still just after its end."""
        assert run.end is not None
        last = run.end + within_seconds
        is_killed = any(
            (kill.is_group and kill.group == run.group) or kill.pid == run.pid
            for kill in self.kills
            if run.end <= kill.at <= last
        )
        return (
            is_killed
            or self._was_ended_cold(run, until=last)
            or any(
                stop.group == run.group
                and stop.since <= last
                and (stop.until is None or stop.until >= run.start)
                for stop in self.stops
            )
        )

    def _was_ended_cold(self, run: Run, *, until: float) -> bool:
        return any(
            end.is_cold and end.group == run.group and run.start <= end.at <= until
            for end in self.ends
        )

    def limits_between(self, since: float, until: float) -> set[int]:
        """Every limit that may have been in force at some moment between the two."""
        found: set[int] = set()
        for change in self.limits:
            if change.answered_at is not None and change.answered_at <= since:
                found = {change.max_workers}
            elif change.asked_at <= until:
                found.add(change.max_workers)
        return found
