"""The order rule: which of the waiting tasks starts first. The one home of its numbers.

Every place in the queue is one whole number, its score::

    score = place_us // unit_us - zero - priority * level        the lowest starts first

``place_us`` is when the task was submitted, in µs since 1970. With equal scores the lower remainder
of that division starts first, then the lower id: a store gives new tasks places that are ``unit_us``
apart, but tasks that waited under a finer rule may be closer. The three coefficients follow from the
aging in force and are computed here alone. Two others evaluate the formula over the same
coefficients: ``lua/includes/order.lua`` reads them from Redis, where ``PriorityAging.to_json`` puts
them, and ``ledger_rows`` hands them to SQL. ``tests/contract/test_order_rule.py`` holds the three
against each other.

Redis keeps the coefficients while releases come and go. Whoever changes what ``OrderRule`` gives for
an aging raises ``FORMULA``: the next round of the monitor then replaces the coefficients of the
earlier release and puts what waits into the new order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from ingestion.pool.clock import seconds_to_us, to_us
from ingestion.pool.errors import InvalidControl

if TYPE_CHECKING:
    from ingestion.pool.task import WorkerTask

FORMULA = 1
# Scores count from here, so that they stay exact in a double.
EPOCH_US = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
# Of the levels that stay exact in a double the greatest; in milliseconds it outweighs 126 years.
LARGEST_LEVEL = 4_000_000_000_000
# Scores in milliseconds leave room for levels that outweigh every time.
MILLISECOND_US = 1000
# Tasks that were moved to the front stand below every score that a rule can give, so that they
# stay in front, in their order, when the rule changes.
FRONT = -6_000_000_000_000_000
AGING_SECONDS_MAX = 10**9


@dataclass(frozen=True)
class OrderRule:
    """The coefficients of the formula; ``level`` is what one level of priority is worth, in units."""

    unit_us: int
    zero: int
    level: int

    @classmethod
    def of(cls, aging_seconds: float) -> Self:
        """A level is worth so many seconds of waiting; with 0 it outweighs every waiting time."""
        aging_us = max(1, seconds_to_us(aging_seconds)) if aging_seconds > 0 else 0
        if 0 < aging_us <= LARGEST_LEVEL:
            return cls(unit_us=1, zero=EPOCH_US, level=aging_us)
        level = aging_us // MILLISECOND_US or LARGEST_LEVEL
        return cls(unit_us=MILLISECOND_US, zero=EPOCH_US // MILLISECOND_US, level=level)

    def score(self, place_us: int, *, priority: int) -> int:
        return place_us // self.unit_us - self.zero - priority * self.level

    def place_of(self, task: WorkerTask) -> tuple[int, int]:
        """Its score, that of the front to which it was moved or its own; and the remainder."""
        place_us = to_us(task.queued_at)
        own = self.score(place_us, priority=task.priority)
        return own if task.front_score is None else task.front_score, place_us % self.unit_us


def front_before(first_score: int) -> int:
    """The score of a task that is moved before the first one."""
    return min(first_score, FRONT) - 1


@dataclass(frozen=True)
class PriorityAging:
    """How many seconds of waiting one level of priority is worth, for every process; 0: priority is
    strict. ``revision`` rises with every change; 0 is what a process assumes by its settings before
    a value was agreed. ``is_rescoring``: what waits is still being put into the new order, and
    nothing starts meanwhile."""

    seconds: float = 3600
    revision: int = 0
    set_by: str = ""
    set_at: datetime | None = None
    reason: str = ""
    is_rescoring: bool = False

    @property
    def rule(self) -> OrderRule:
        return OrderRule.of(self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: its time in ISO 8601."""
        return {**asdict(self), "set_at": self.set_at.isoformat() if self.set_at else None}

    def to_json(self) -> str:
        """As Redis keeps it: with the coefficients, which its scripts read, and the ``formula`` that
        they come from."""
        return json.dumps({**self.to_dict(), **asdict(self.rule), "formula": FORMULA})

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], *, is_rescoring: bool = False) -> Self:
        """Raises KeyError, TypeError or ValueError for what cannot be read."""
        set_at = stored.get("set_at")
        return cls(
            seconds=float(stored["seconds"]),
            revision=int(stored["revision"]),
            set_by=str(stored.get("set_by", "")),
            set_at=datetime.fromisoformat(str(set_at)) if set_at else None,
            reason=str(stored.get("reason", "")),
            is_rescoring=is_rescoring,
        )


DEFAULT_AGING = PriorityAging()


def checked_aging(seconds: float) -> float:
    """Raises InvalidControl unless ``seconds`` is a number from 0 to below 1 000 000 000."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or not 0 <= seconds < AGING_SECONDS_MAX:
        raise InvalidControl(
            "The seconds of waiting that a level of priority is worth must be a number from 0 "
            f"(strict priority) to below {AGING_SECONDS_MAX}, not {seconds!r}."
        )
    return float(seconds)
