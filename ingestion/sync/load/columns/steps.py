"""Where the seconds of a run go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Steps:
    """Adds the seconds of each step to ``seconds``. A step within another one is not counted there
    too: under one that holds all others the sum is the time that has passed."""

    seconds: dict[str, float] = field(default_factory=dict)
    _step: str | None = None
    _since: float = 0.0

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        outer = self._change_to(step)
        try:
            yield
        finally:
            self._change_to(outer)

    def _change_to(self, step: str | None) -> str | None:
        """The step that ends here."""
        now = time.monotonic()
        ending = self._step
        if ending is not None:
            self.seconds[ending] = round(self.seconds.get(ending, 0.0) + now - self._since, 6)
        self._step, self._since = step, now
        return ending
