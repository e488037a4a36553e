"""Sorted ids: of one queue, of the queues of all CRMs, and of what is to be found by a beginning."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from heapq import merge


class Order:
    """Ids by a number, the lowest first, equal ones by id."""

    def __init__(self) -> None:
        self._sorted: list[tuple[int, str]] = []
        self._number: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._number

    def put(self, task_id: str, number: int) -> None:
        self.drop(task_id)
        self._number[task_id] = number
        insort(self._sorted, (number, task_id))

    def drop(self, task_id: str) -> None:
        number = self._number.pop(task_id, None)
        if number is not None:
            del self._sorted[bisect_left(self._sorted, (number, task_id))]

    def ids(self, *, up_to: int | None = None) -> list[str]:
        end = len(self) if up_to is None else bisect_right(self._sorted, up_to, key=_number_of)
        return [task_id for _, task_id in self._sorted[:end]]

    def number(self, task_id: str) -> int | None:
        return self._number.get(task_id)

    def entries(self) -> list[tuple[int, str]]:
        """Number and id, the lowest first."""
        return self._sorted

    def first(self) -> str | None:
        return self._sorted[0][1] if self._sorted else None

    def lowest(self) -> int | None:
        return self._sorted[0][0] if self._sorted else None


def _number_of(entry: tuple[int, str]) -> int:
    return entry[0]


class Queues:
    """The queues of the CRMs: ids by score, the lowest first."""

    def __init__(self) -> None:
        self._of_crm: dict[str, Order] = {}
        self._crm: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._crm)

    def put(self, task_id: str, score: int, *, crm_source: str) -> None:
        self.drop(task_id)
        self._crm[task_id] = crm_source
        self._of_crm.setdefault(crm_source, Order()).put(task_id, score)

    def drop(self, task_id: str) -> None:
        crm = self._crm.pop(task_id, None)
        if crm is None:
            return
        self._of_crm[crm].drop(task_id)
        if not self._of_crm[crm]:
            del self._of_crm[crm]

    def first(self, has_room: Callable[[str], bool] = lambda crm: True) -> tuple[int, str] | None:
        """Score and id of the best of the CRMs that have room; looks at their heads alone."""
        heads = (queue.entries()[0] for crm, queue in self._of_crm.items() if has_room(crm))
        return min(heads, default=None)

    def counts(self) -> dict[str, int]:
        """How many stand in the queue of each CRM."""
        return {crm: len(queue) for crm, queue in sorted(self._of_crm.items())}

    def ids(self) -> list[str]:
        """All in their true order."""
        return [task_id for _, task_id in merge(*(q.entries() for q in self._of_crm.values()))]


class Beginnings:
    """Texts that are found by how they begin."""

    def __init__(self) -> None:
        self._sorted: list[str] = []

    def put(self, text: str) -> None:
        self.drop(text)
        insort(self._sorted, text)

    def drop(self, text: str) -> None:
        at = bisect_left(self._sorted, text)
        if self._sorted[at : at + 1] == [text]:
            del self._sorted[at]

    def first(self, beginning: str) -> str | None:
        at = bisect_left(self._sorted, beginning)
        found = self._sorted[at : at + 1]
        return found[0] if found and found[0].startswith(beginning) else None
