"""What the sandbox remembers between starts: seed, size and the ticks, in one small file.

The data itself is not in it. The same seed, size and ticks give the same data, so a
restart replays them and the CRMs that live in memory come back equal.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sandbox.errors import SandboxBusy, SandboxError


@dataclass(frozen=True)
class Tick:
    """One change of the data. ``crms`` None: of every CRM."""

    at: datetime
    crms: tuple[str, ...] | None = None

    def concerns(self, crm: str) -> bool:
        return self.crms is None or crm in self.crms


@dataclass(frozen=True)
class Control:
    """Where the serving process can be controlled. The token is in a file that only its owner reads."""

    url: str
    token: str
    pid: int


@dataclass(frozen=True)
class SandboxState:
    seed: int = 1
    rows: int = 200
    ticks: tuple[Tick, ...] = ()
    control: Control | None = None

    def with_tick(self, now: datetime, crms: tuple[str, ...] | None) -> SandboxState:
        """One tick more, later than every other: two ticks must never draw the same changes."""
        at = max([now, *(tick.at + timedelta(microseconds=1) for tick in self.ticks)])
        return replace(self, ticks=(*self.ticks, Tick(at, crms)))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, default=datetime.isoformat)

    @classmethod
    def from_json(cls, text: str) -> SandboxState:
        data: dict[str, Any] = json.loads(text)
        control = data["control"]
        return cls(
            seed=data["seed"],
            rows=data["rows"],
            ticks=tuple(_tick(entry) for entry in data["ticks"]),
            control=Control(**control) if control else None,
        )


def _tick(entry: dict[str, Any]) -> Tick:
    crms = entry["crms"]
    return Tick(datetime.fromisoformat(entry["at"]), None if crms is None else tuple(crms))


class StateFile:
    """The state of one data directory. Any number of processes may read it; writers lock it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.path = self.data_dir / "state.json"

    def load(self) -> SandboxState:
        """The state, or a new one where there is none. Raises SandboxError for a damaged file."""
        try:
            return SandboxState.from_json(self.path.read_text())
        except FileNotFoundError:
            return SandboxState()
        except (ValueError, KeyError, TypeError) as damage:
            raise SandboxError(
                f"The sandbox's state {self.path} cannot be read; delete it to start over."
            ) from damage

    def update(self, change: Callable[[SandboxState], SandboxState]) -> SandboxState:
        """Replace the state by ``change`` of it, in one atomic step."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(self.data_dir / "state.lock"):
            state = change(self.load())
            self._write(state)
        return state

    def _write(self, state: SandboxState) -> None:
        handle, name = tempfile.mkstemp(dir=self.data_dir, prefix="state.")  # mode 0600
        with os.fdopen(handle, "w") as file:
            file.write(state.to_json())
        Path(name).replace(self.path)

    def begin(self, *, seed: int | None = None, rows: int | None = None) -> SandboxState:
        """The state to serve. Another seed or size than the stored one starts over without ticks;
        data that CRMs have on disk goes with it. Call it with the serving lock held.

        Raises SandboxError where there is data but no state: its seed and size are unknown.
        """
        stored = self.load()
        wanted = SandboxState(
            seed=stored.seed if seed is None else seed, rows=stored.rows if rows is None else rows
        )
        if not self.path.exists():
            self._refuse_foreign_data()
        elif (wanted.seed, wanted.rows) == (stored.seed, stored.rows):
            return stored
        else:
            shutil.rmtree(self._data, ignore_errors=True)
        return self.update(lambda _: wanted)

    @property
    def _data(self) -> Path:
        return self.data_dir / "data"

    def _refuse_foreign_data(self) -> None:
        if self._data.exists():
            raise SandboxError(
                f"{self._data} holds data but {self.path.name} beside it is gone; delete the "
                "folder to start over."
            )

    def crm_dir(self, crm: str) -> Path:
        """Where one CRM may keep files."""
        return self._data / crm

    def serving_lock(self) -> FileLock:
        """Lock the data, to serve or change it. The kernel releases the lock when its holder
        dies. Raises SandboxBusy while another process has it."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.data_dir / "serving.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise SandboxBusy(
                f"Another process serves {self.data_dir}: stop it, or use another --data-dir."
            ) from None
        return lock
