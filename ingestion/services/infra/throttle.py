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

    @property
    def is_due(self) -> bool:
        return self._last is None or self._clock() - self._last >= self._seconds

    def take(self) -> bool:
        if not self.is_due:
            return False
        self._last = self._clock()
        return True
