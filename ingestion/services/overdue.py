"""What is done now and then, whoever comes along."""

from __future__ import annotations

import time
from collections.abc import Callable


class Overdue:
    """Says yes once per ``seconds`` and process, so that every verb may ask."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: float | None = None

    def take(self) -> bool:
        now = self._clock()
        if self._last is not None and now - self._last < self._seconds:
            return False
        self._last = now
        return True
