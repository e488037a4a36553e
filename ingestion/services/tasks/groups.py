"""What several threads of a process ask for at the same time is done by one of them for all.

Nobody waits for others to come: whoever finds somebody at work waits for the end of that, and those that
have come until then are a group. So one thread alone does what it would do without.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ingestion import deadline

Asked = TypeVar("Asked")
Became = TypeVar("Became")


@dataclass(eq=False)
class Waiting(Generic[Asked, Became]):
    """One that waits. ``group``: of those for whom it has to do it. ``became`` stays None where
    whoever did it could not say: then each is on its own."""

    asked: Asked
    is_told: threading.Event = field(default_factory=threading.Event)
    group: list[Waiting[Asked, Became]] | None = None
    became: Became | None = None


class Groups(Generic[Asked, Became]):
    """``do`` does it for several, ``largest`` at most, and returns what became of each, in their order.
    Where it raises, nobody knows."""

    def __init__(
        self,
        do: Callable[[Sequence[Asked]], Sequence[Became | None]],
        *,
        largest: int,
    ) -> None:
        self._do = do
        self._largest = largest
        self._lock = threading.Lock()
        self._is_working = False
        self._waiting: deque[Waiting[Asked, Became]] = deque()

    def begin(self, asked: Asked) -> Waiting[Asked, Became] | None:
        """None where the caller does it itself, and calls ``end`` then, whatever happens. Else see
        ``wait``."""
        with self._lock:
            if not self._is_working:
                self._is_working = True
                return None
            waiting: Waiting[Asked, Became] = Waiting(asked)
            self._waiting.append(waiting)
            return waiting

    def end(self) -> None:
        """The next group begins, in the thread of the one that has waited longest: its deadline is
        the first of theirs."""
        with self._lock:
            if not self._waiting:
                self._is_working = False
                return
            size = min(self._largest, len(self._waiting))
            first, *others = (self._waiting.popleft() for _ in range(size))
            first.group = [first, *others]
        first.is_told.set()

    def wait(self, mine: Waiting[Asked, Became]) -> Became | None:
        """What became of it; None where nobody knows. Raises TimeoutError where nobody has begun
        with it within the caller's deadline; nobody will."""
        try:
            if not mine.is_told.wait(_left_seconds()) and self._withdraw(mine):
                raise TimeoutError
            mine.is_told.wait()  # somebody has it in hand, whose deadline is no later
        except BaseException:
            self._abandon(mine)
            raise
        if mine.group is not None:
            self._lead(mine.group)
        return mine.became

    def _lead(self, group: list[Waiting[Asked, Became]]) -> None:
        try:
            found = self._do([one.asked for one in group])
            for one, became in zip(group, found, strict=True):
                one.became = became
        finally:
            for one in group[1:]:
                one.is_told.set()
            self.end()

    def _withdraw(self, mine: Waiting[Asked, Became]) -> bool:
        """False where it is in somebody's hand."""
        with self._lock:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def _abandon(self, mine: Waiting[Asked, Became]) -> None:
        """Interrupted while it waited: the others must not wait for it."""
        if self._withdraw(mine) or mine.group is None:
            return
        with self._lock:
            self._waiting.extendleft(reversed(mine.group[1:]))
        self.end()


def _left_seconds() -> float | None:
    ends = deadline.current()
    return None if ends is None or ends.until == math.inf else ends.left_seconds
