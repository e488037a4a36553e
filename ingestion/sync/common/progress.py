"""How a sync tells what it is doing, and is told to stop."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Told of every page and step. Each method may raise SyncStopped: the run then ends between
    two pages, and nothing half-loaded stays behind."""

    def step(self, model: str, step: str) -> None:
        """A step begins: ``extract``, then ``load``."""

    def advance(self, model: str, *, rows: int) -> None:
        """``rows`` more records were read."""

    def check(self) -> None:
        """Nothing happened; only asks whether the run may go on."""

    def check_known(self) -> None:
        """The same from any thread: looks at what is known already, and asks nobody."""


class SilentReporter:
    """Tells nobody."""

    def step(self, model: str, step: str) -> None: ...

    def advance(self, model: str, *, rows: int) -> None: ...

    def check(self) -> None: ...

    def check_known(self) -> None: ...
