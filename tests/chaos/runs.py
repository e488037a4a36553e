"""What the syncs wrote down, as intervals of time in which they ran."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.notes import Kill, Notes, Stop

DONE = "done"


@dataclass
class Run:
    """One attempt as the sync itself saw it. ``end`` None: it was killed, or never ended.

    ``ran_until`` is when it ran no longer, whoever knew of it.
    """

    task_id: str
    attempt: int
    pid: int
    group: int
    start: float
    started_at: float
    pages: list[float] = field(default_factory=list)
    end: float | None = None
    how: str = ""
    ran_until: float = 0.0
    was_killed: bool = False

    @property
    def is_done(self) -> bool:
        return self.how == DONE

    @property
    def last_line(self) -> float:
        return (
            max(self.start, *self.pages, self.end or 0.0) if self.pages else self.end or self.start
        )


def read_runs(file: Path, notes: Notes) -> list[Run]:
    """In the order of their starts."""
    runs = sorted(_from_lines(_lines(file)), key=lambda run: run.start)
    for run in runs:
        _settle_end(run, notes)
    return runs


def starts_after(file: Path, moment: float) -> list[dict[str, Any]]:
    return [line for line in _lines(file) if line["what"] == "start" and line["at"] > moment]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """A line that is being written now is left for the next look."""
    text = file.read_text() if file.exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def _from_lines(lines: Iterable[dict[str, Any]]) -> list[Run]:
    """A process runs one sync at a time, so its lines belong to its last start."""
    runs: list[Run] = []
    current: dict[int, Run] = {}
    for line in lines:
        pid = line["pid"]
        if line["what"] == "start":
            run = Run(
                line["task_id"], line["attempt"], pid, line["group"], line["at"], line["wall"]
            )
            runs.append(run)
            current[pid] = run
        elif line["what"] == "page":
            current[pid].pages.append(line["at"])
        else:
            current[pid].end, current[pid].how = line["at"], line["how"]
    return runs


def _settle_end(run: Run, notes: Notes) -> None:
    kill = _kill_of(run, notes.kills)
    run.was_killed = kill is not None
    run.ran_until = kill.at if kill else run.end or run.last_line
    for stop in notes.stops:
        if stop.group == run.group and run.start < stop.since < run.ran_until:
            _settle_stop(run, stop)
            return


def _kill_of(run: Run, kills: Iterable[Kill]) -> Kill | None:
    for kill in kills:
        hit = kill.pid == (run.group if kill.is_group else run.pid)
        if hit and kill.at >= run.start and (run.end is None or kill.at < run.end):
            return kill
    return None


def _settle_stop(run: Run, stop: Stop) -> None:
    """A sync that stood still and did nothing more but end when it went on had ended by then.
    One that wrote another page was running all the time."""
    wrote_on = any(page > stop.since + 0.001 for page in run.pages) or run.is_done
    if not wrote_on:
        run.ran_until = stop.since
