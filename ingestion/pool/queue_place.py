"""Where a list of waiting tasks goes on: behind which task, whatever has left the queue meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ingestion.pool.order_rule import OrderRule
from ingestion.pool.task import WorkerTask, is_task_id

# The parts of the list of waiting tasks, one behind the other.
READY, DELAYED, HELD = PARTS = ("ready", "delayed", "held")
GREATEST = 2**63


class NoPlace(ValueError):
    """This text names no place of a queue."""


@dataclass(frozen=True)
class QueuePlace:
    """``number``: the score of a ready task, else the µs since 1970 by which its part is sorted.
    ``queued_us``: its submission."""

    part: str
    number: int
    queued_us: int
    task_id: str

    def order(self, rule: OrderRule) -> tuple[int, int]:
        """How ready tasks are compared, before their ids are."""
        return self.number, self.queued_us % rule.unit_us

    def to_text(self) -> str:
        return f"{self.part}.{self.number}.{self.queued_us}.{self.task_id}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Raises NoPlace."""
        part, _, rest = text.partition(".")
        number, _, rest = rest.partition(".")
        queued_us, _, task_id = rest.partition(".")
        digits = number.removeprefix("-")
        if part not in PARTS or not task_id or not is_task_id(task_id):
            raise NoPlace(text)
        if not all(n.isascii() and n.isdigit() and len(n) < 20 for n in (digits, queued_us)):
            raise NoPlace(text)
        if max(int(digits), int(queued_us)) >= GREATEST:
            raise NoPlace(text)
        return cls(part, int(number), int(queued_us), task_id)


@dataclass(frozen=True)
class QueuePage:
    """``places`` of the tasks; ``last`` is the place behind which the list goes on, None at its
    end."""

    tasks: tuple[WorkerTask, ...]
    places: tuple[QueuePlace, ...]
    last: QueuePlace | None


def first_of(part: str) -> QueuePlace:
    """The place before all of a part."""
    return QueuePlace(part, -GREATEST + 1, 0, "-")


def parts_from(after: QueuePlace | None) -> tuple[str, ...]:
    """Those that are still to be read."""
    return PARTS[PARTS.index(after.part) :] if after else PARTS
