"""The decorator of every verb of the memory store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class HasMoment(Protocol):
    """What a verb needs of its store: one lock, and the time at which the verb happens."""

    _lock: threading.Lock
    _clock: Callable[[], datetime]
    _now: datetime


P = ParamSpec("P")
T = TypeVar("T")
Store = TypeVar("Store", bound=HasMoment)


def one_at_a_time(verb: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Store, P], T]:
    """Run a verb under the lock, at one time, and return copies, so that callers cannot change the
    state."""

    @wraps(verb)
    def locked(self: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            self._now = self._clock()
            return deepcopy(verb(self, *args, **kwargs))

    return locked
