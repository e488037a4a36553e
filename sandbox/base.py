"""What every CRM of the sandbox offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class SandboxConf:
    """``rows``: how many records the CRM's main model has; the others are in proportion.
    The same seed and the same ticks always give the same data."""

    data_dir: Path
    seed: int = 1
    rows: int = 200


@dataclass(frozen=True)
class Budget:
    """A limit that the CRM applies, and what it has met: at most ``requests`` (0: no limit) within
    any ``window_seconds``; ``fullest``: how many the fullest window held; ``refused``: how many
    requests were too many. ``counts``: what is counted, where it is not all requests."""

    requests: int
    window_seconds: float
    fullest: int
    refused: int
    counts: str = ""


def began_on(conf: SandboxConf) -> datetime:
    """The day on which this data was first made, UTC; stored, so that a restart makes the same data.

    For CRMs that forget: data of a fixed day would be beyond their retention before long.
    """
    path = conf.data_dir / "began_on"
    if not path.exists():
        path.write_text(datetime.now(UTC).date().isoformat())
    return datetime.fromisoformat(path.read_text()).replace(tzinfo=UTC)


class Sandbox(ABC):
    """One CRM of the sandbox: data from a seed, changed by ticks, served as the CRM serves it."""

    name: ClassVar[str]
    # Faults (see ``sandbox.faults``) that it can have by itself, beside those of HTTP answers.
    own_faults: ClassVar[frozenset[str]] = frozenset()
    # Where it gives out tokens: what is exchanged there is secret, so no recording has it.
    login_paths: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, conf: SandboxConf) -> None:
        self.conf = conf

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, str]:
        """The settings that point the syncs here. ``base_url`` is where ``wsgi`` is mounted,
        without a slash at its end, e.g. ``http://127.0.0.1:8100/hubspot``."""

    @abstractmethod
    def tick(self, at: datetime) -> dict[str, int]:
        """Create, change and delete some records as of ``at`` (aware); what was done, counted as
        ``created``, ``updated``, ``deleted``. The same ``at`` on the same data does the same."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Records by model that a full read sees."""

    def budgets(self) -> Iterable[Budget]:
        """The limits that it applies, with what they have met since it was started."""
        return ()

    def set_faults(self, faults: frozenset[str]) -> None:
        """Have these of ``own_faults`` from now on, and no others: what was broken is repaired."""
        if faults:
            raise NotImplementedError(f"{self.name} has no faults of its own")

    def wsgi(self) -> WsgiApp | None:
        """The HTTP API; None where the CRM is not read over HTTP."""
        return None
