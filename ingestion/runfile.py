"""The run file: what a running system tells every other command typed in the same clone.

``manage.py up`` writes it, the settings read it, ``up --status`` shows it. Standard library only:
it is read before Django is set up.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingestion import private_files

_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessMark:
    """One process for good: a pid alone may come to belong to somebody else.

    ``started``: when it started, in whatever form this system tells it (opaque).
    """

    pid: int
    started: str

    @property
    def is_alive(self) -> bool:
        return _start_of(self.pid) == self.started

    @property
    def is_replaced(self) -> bool:
        """Whether somebody else's process has the pid by now."""
        return _start_of(self.pid) not in (None, self.started)

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """For a process that is gone already, a mark that is never alive."""
        return cls(pid, _start_of(pid) or "")


@dataclass(frozen=True)
class ProcessRecord:
    """One process of the system; it leads a process group of its own. ``restarts`` counts how
    often it had to be started again, ``started_at`` is ISO 8601 UTC."""

    name: str
    mark: ProcessMark
    started_at: str
    restarts: int = 0


@dataclass(frozen=True)
class RunFile:
    """``state``: starting, ready or stopping. ``settings``: what every command is to use, unless
    the environment or ``.env`` says otherwise."""

    main: ProcessMark
    started_at: str
    state: str = "starting"
    url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    processes: tuple[ProcessRecord, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"schema": 1, **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> RunFile:
        """Raises ValueError when it is not a run file."""
        try:
            return _from_dict(json.loads(text))
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"not a run file: {problem!r}") from problem


def path_in(var_dir: Path) -> Path:
    return var_dir / "run" / "system.json"


def read(var_dir: Path) -> RunFile | None:
    """What was written last, whether its system still runs or not. None: nothing readable."""
    try:
        return RunFile.from_json(path_in(var_dir).read_text())
    except (OSError, ValueError):
        return None  # none, another user's, or cut off by a full disk: no system of ours


def read_running(var_dir: Path) -> RunFile | None:
    """The system that runs now. What a killed one left behind does not count."""
    found = read(var_dir)
    return found if found and found.main.is_alive else None


def write(var_dir: Path, content: RunFile) -> None:
    """In one step, for its owner alone: it holds passwords."""
    path = path_in(var_dir)
    private_files.make_folder(path.parent)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(content.to_json())
    fresh.replace(path)


def remove(var_dir: Path) -> None:
    path_in(var_dir).unlink(missing_ok=True)


def _from_dict(data: dict[str, Any]) -> RunFile:
    return RunFile(
        main=ProcessMark(**data["main"]),
        started_at=data["started_at"],
        state=data["state"],
        url=data["url"],
        settings=dict(data["settings"]),
        processes=tuple(
            ProcessRecord(p["name"], ProcessMark(**p["mark"]), p["started_at"], p["restarts"])
            for p in data["processes"]
        ),
    )


def _start_of(pid: int) -> str | None:
    """None for a process that is gone, or dead and not yet collected by its parent."""
    return _start_by_proc(pid) if _PROC.joinpath("self", "stat").exists() else _start_by_ps(pid)


def _start_by_proc(pid: int) -> str | None:
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): after the name, which may hold anything, come the state and, 19 further, the start
    # in clock ticks since boot; the boot id tells one boot from the next.
    fields = stat.rpartition(")")[2].split()
    boot = _PROC.joinpath("sys/kernel/random/boot_id")
    return None if fields[0] in "ZX" else f"{boot.read_text().strip()}:{fields[19]}"


def _start_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
