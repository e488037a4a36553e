"""Runs the models of a sync one after the other; the next ones' first pages are fetched meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from structlog.contextvars import bound_contextvars

from ingestion.sync.common.run import ModelResult

if TYPE_CHECKING:
    from ingestion.sync.load.run import Run


LONGEST_EARLY_SECONDS: Final = 60.0


class TwoParts(Protocol):
    """A model's run as ``ModelRun`` has it."""

    result: ModelResult

    def begin(self) -> None: ...

    def begin_early(self) -> bool:
        """Before its turn. False where that cannot be: nor can those after it, then."""

    def give_up_early(self, *, after_seconds: float) -> None:
        """Give back what was taken so long before its turn."""

    def finish(self, after_batch: Callable[[], None]) -> None:
        """``after_batch`` is called now and then."""

    def close(self) -> None: ...


class InTurn:
    """Each model that is begun has a connection to the warehouse; ``at_once`` is the most of them.
    ``close`` ends those that are begun."""

    def __init__(
        self,
        runs: Sequence[Run],
        kind: Callable[[Run, ModelResult], TwoParts],
        *,
        at_once: int,
    ) -> None:
        self._waiting = deque(kind(run, ModelResult(run.model.name)) for run in runs)
        self._at_once = at_once

    def runs(self) -> Iterator[tuple[ModelResult, Callable[[], None]]]:
        """In the order of the models: a result, and what fills it. That raises what the model's
        run raises."""
        while self._waiting:
            current = self._waiting.popleft()
            yield current.result, partial(self._run, current)

    def close(self) -> None:
        while self._waiting:
            self._waiting.pop().close()

    def _run(self, current: TwoParts) -> None:
        with closing(current):
            current.begin()
            self._begin_next()
            current.finish(self._give_up_old)

    def _give_up_old(self) -> None:
        """A model that takes long must not keep the locks of those after it."""
        for upcoming in self._waiting:
            upcoming.give_up_early(after_seconds=LONGEST_EARLY_SECONDS)

    def _begin_next(self) -> None:
        for upcoming in islice(self._waiting, self._at_once - 1):
            with bound_contextvars(model=upcoming.result.model):
                if not upcoming.begin_early():
                    return
