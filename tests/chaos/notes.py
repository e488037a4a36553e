"""What the chaos itself did, and when: the half of the truth that the syncs cannot write down.

Times are seconds of the machine's monotonic clock, as in the lines of the syncs.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kill:
    """One process, or with ``is_group`` every process of that group."""

    at: float
    pid: int
    is_group: bool


@dataclass
class Stop:
    """A group of processes that stood still; ``until`` None while it does."""

    group: int
    since: float
    until: float | None = None


@dataclass
class LimitChange:
    """In force at the earliest when it was asked for, at the latest when it was answered;
    ``answered_at`` None: nobody knows whether it ever was."""

    max_workers: int
    asked_at: float
    answered_at: float | None = None


@dataclass
class Notes:
    kills: list[Kill] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    limits: list[LimitChange] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    max_attempts: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    call_seconds: list[tuple[float, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    story: list[tuple[float, str]] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def tell(self, text: str) -> None:
        self.story.append((time.monotonic() - self.began_at, text))

    def killed(self, pid: int, *, is_group: bool = False) -> None:
        self.kills.append(Kill(time.monotonic(), pid, is_group))

    def limits_between(self, since: float, until: float) -> set[int]:
        """Every limit that may have been in force at some moment between the two."""
        found: set[int] = set()
        for change in self.limits:
            if change.answered_at is not None and change.answered_at <= since:
                found = {change.max_workers}
            elif change.asked_at <= until:
                found.add(change.max_workers)
        return found
