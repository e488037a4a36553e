"""Sorted collections of ids: one queue, the queues of all CRMs, and an index by prefix."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from heapq import merge
from typing import Generic, TypeVar

# What ids are sorted by: a time in µs, or a score and a time.
N = TypeVar("N", int, tuple[int, int])


class Order(Generic[N]):
    """Ids by a number or two, the lowest first, equal ones by id."""

    def __init__(self) -> None:
        self._sorted: list[tuple[N, str]] = []
        self._number: dict[str, N] = {}

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._number

    def put(self, task_id: str, number: N) -> None:
        self.drop(task_id)
        self._number[task_id] = number
        insort(self._sorted, (number, task_id))

    def drop(self, task_id: str) -> None:
        number = self._number.pop(task_id, None)
        if number is not None:
            del self._sorted[bisect_left(self._sorted, (number, task_id))]

    def ids(self, *, up_to: N | None = None) -> list[str]:
        end = len(self)
        if up_to is not None:
            end = bisect_right(self._sorted, up_to, key=lambda entry: entry[0])
        return [task_id for _, task_id in self._sorted[:end]]

    def number(self, task_id: str) -> N | None:
        return self._number.get(task_id)

    def entries(self) -> list[tuple[N, str]]:
        """Number and id, the lowest first."""
        return self._sorted

    def before(self, number: N, task_id: str) -> int:
        """How many stand before this place."""
        return bisect_left(self._sorted, (number, task_id))

    def behind(self, number: N, task_id: str) -> Iterator[tuple[N, str]]:
        """Number and id of those that stand behind this place."""
        first = bisect_right(self._sorted, (number, task_id))
        return (self._sorted[n] for n in range(first, len(self._sorted)))

    def first(self) -> str | None:
        return self._sorted[0][1] if self._sorted else None

    def lowest(self) -> N | None:
        return self._sorted[0][0] if self._sorted else None


class Queues:
    """The queues of the CRMs: ids by score and submission, the lowest first."""

    def __init__(self) -> None:
        self._of_crm: dict[str, Order[tuple[int, int]]] = {}
        self._crm: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._crm)

    def put(self, task_id: str, place: tuple[int, int], *, crm_source: str) -> None:
        self.drop(task_id)
        self._crm[task_id] = crm_source
        self._of_crm.setdefault(crm_source, Order()).put(task_id, place)

    def drop(self, task_id: str) -> None:
        crm = self._crm.pop(task_id, None)
        if crm is None:
            return
        self._of_crm[crm].drop(task_id)
        if not self._of_crm[crm]:
            del self._of_crm[crm]

    def first(
        self, has_room: Callable[[str], bool] = lambda crm: True
    ) -> tuple[tuple[int, int], str] | None:
        """Place and id of the best of the CRMs that have room; looks at their heads alone."""
        heads = (queue.entries()[0] for crm, queue in self._of_crm.items() if has_room(crm))
        return min(heads, default=None)

    def counts(self) -> dict[str, int]:
        """How many stand in the queue of each CRM."""
        return {crm: len(queue) for crm, queue in sorted(self._of_crm.items())}

    def before(self, place: tuple[int, int], task_id: str) -> dict[str, int]:
        """How many of each CRM stand before this place."""
        counts = {crm: queue.before(place, task_id) for crm, queue in self._of_crm.items()}
        return {crm: count for crm, count in sorted(counts.items()) if count}

    def behind(self, place: tuple[int, int], task_id: str) -> Iterator[tuple[tuple[int, int], str]]:
        """Place and id of those that stand behind this place, in their true order."""
        return merge(*(queue.behind(place, task_id) for queue in self._of_crm.values()))

    def ids(self) -> list[str]:
        """All in their true order."""
        return [task_id for _, task_id in merge(*(q.entries() for q in self._of_crm.values()))]


class Beginnings:
    """Texts that can be found by a prefix."""

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
