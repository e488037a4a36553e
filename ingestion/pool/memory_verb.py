"""How a verb of the pool in memory is called."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from ingestion.pool.memory_state import MemoryState

P = ParamSpec("P")
T = TypeVar("T")
Store = TypeVar("Store", bound=MemoryState)


def one_at_a_time(verb: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Store, P], T]:
    """A verb happens whole before another begins, at one moment, and gives copies, so that callers
    cannot change state."""

    @wraps(verb)
    def locked(self: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            self._now = self._clock()
            return deepcopy(verb(self, *args, **kwargs))

    return locked
