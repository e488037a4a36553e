"""Counts operations by kind within windows of several lengths, as a Five9 domain does."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sandbox.base import Budget
from sandbox.crms.five9.wire import SoapFault
from sandbox.web import DAY_SECONDS, is_throttled

# Made up: the real numbers differ from domain to domain.
RELAXED: Mapping[int, Mapping[str, int]] = {
    60: {"Query": 3_000, "ReportRequest": 600, "RetrieveReport": 600},
    86_400: {"Query": 1_000_000, "ReportRequest": 50_000, "RetrieveReport": 50_000},
}


@dataclass
class OperationLimits:
    """``limits``: seconds of a window to limits by kind of operation."""

    limits: Mapping[int, Mapping[str, int]] = field(default_factory=lambda: dict(RELAXED))
    clock: Callable[[], float] = time.monotonic
    _met: dict[tuple[int, str], Counter[str]] = field(default_factory=dict)
    _times: dict[str, list[float]] = field(default_factory=dict)

    def count(self, kind: str) -> None:
        """Raises SoapFault for an operation over a limit; it does not count then."""
        mine = [(seconds, *rest) for seconds, of, *rest in self.states() if of == kind]
        for seconds, limit, value in mine:
            met = self._met.setdefault((seconds, kind), Counter())
            if value >= limit:
                met["refused"] += 1
                details = {"limit": str(limit), "operationType": kind}
                message = f"Operations limit exceeded for {kind}"
                raise SoapFault("OperationsLimitExceededFault", message, details)
            met["fullest"] = max(met["fullest"], value + 1)
        self._times.setdefault(kind, []).append(self.clock())

    def budgets(self) -> Iterator[Budget]:
        for seconds, limits in self.limits.items():
            for kind, limit in limits.items():
                met = self._met.get((seconds, kind), Counter())
                yield Budget(limit, seconds, met["fullest"], met["refused"], kind)

    def states(self) -> Iterator[tuple[int, str, int, int]]:
        """Seconds of the window, kind, limit, value."""
        now = self.clock()
        for seconds, limits in self.limits.items():
            for kind, limit in limits.items():
                times = self._times.get(kind, [])
                value = len(times) - bisect_right(times, now - seconds)
                is_used_up = is_throttled.get() and seconds < DAY_SECONDS
                yield seconds, kind, limit, limit if is_used_up else value
