"""Starts the programs of the system, keeps them running and stops them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ingestion.runfile import ProcessMark, ProcessRecord
from ingestion.services.system.leftovers import signal_group
from ingestion.services.system.output import OutputFile

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
STEADY_SECONDS = 60.0  # who lived this long starts again without delay
HURRIED_SECONDS = 5.0
POLL_SECONDS = 0.1

Say = Callable[[str], None]


class StartFailed(Exception):
    """A program ended before the system was ready."""


@dataclass(frozen=True)
class Program:
    """One program of the system. ``stop_steps``: the signals that ask it to end, each with the
    seconds it is given; then it is killed. In a hurry the last signal is sent at once and gets
    little time, unless ``may_hurry`` is False. ``is_heard`` False: its output stays in its file."""

    name: str
    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: int = subprocess.DEVNULL
    pass_fds: tuple[int, ...] = ()
    stop_steps: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    may_hurry: bool = True
    is_heard: bool = True


class Child:
    """One program while it runs, in a session and process group of its own: a Ctrl-C in the
    terminal reaches ``up`` alone, and whatever a dead program leaves behind can be ended."""

    def __init__(self, program: Program, output: OutputFile) -> None:
        self.program = program
        self.output = output
        self.restarts = 0
        self._failures = 0
        self._restart_at = 0.0
        self._start()

    def _start(self) -> None:
        with self.output.writer() as out:
            self._process = subprocess.Popen(
                self.program.command,
                stdin=self.program.stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.program.cwd,
                env={**os.environ, **self.program.environment},
                pass_fds=self.program.pass_fds,
                start_new_session=True,
            )
        self.is_down = False
        self._started = time.monotonic()
        pid = self._process.pid
        self.record = ProcessRecord(
            self.program.name,
            ProcessMark.of(pid),
            datetime.now(UTC).isoformat(),
            self.restarts,
        )

    def collect_if_dead(self) -> str | None:
        """How it ended, the first time that is seen; its group is ended with it."""
        if self.is_down or (code := self._process.poll()) is None:
            return None
        signal_group(self.record.mark, signal.SIGKILL)
        self.is_down = True
        if time.monotonic() - self._started > STEADY_SECONDS:
            self._failures = 0
        self._restart_at = time.monotonic() + self._backoff_seconds()
        self._failures += 1
        return _how_it_ended(code)

    def _backoff_seconds(self) -> float:
        return min(FIRST_BACKOFF_SECONDS * 2.0**self._failures, MAX_BACKOFF_SECONDS)

    @property
    def seconds_to_restart(self) -> float:
        return max(0.0, self._restart_at - time.monotonic())

    def restart(self) -> None:
        self.restarts += 1
        self._start()

    def stop(self, in_a_hurry: Callable[[], bool]) -> None:
        """Ask it to end, step by step, then kill what is left of its group."""
        if self.is_down:
            return  # its group was ended with it; the number may be somebody else's by now
        *earlier, last = self.program.stop_steps
        for number, seconds in earlier:
            self._ask(number, seconds, seconds_in_a_hurry=0, in_a_hurry=in_a_hurry)
        number, seconds = last
        hurried = min(seconds, HURRIED_SECONDS) if self.program.may_hurry else seconds
        self._ask(number, seconds, seconds_in_a_hurry=hurried, in_a_hurry=in_a_hurry)
        signal_group(self.record.mark, signal.SIGKILL)
        self._process.wait()

    def _ask(
        self,
        number: signal.Signals,
        seconds: float,
        *,
        seconds_in_a_hurry: float,
        in_a_hurry: Callable[[], bool],
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)
        asked = time.monotonic()
        while self._process.poll() is None:
            given = seconds_in_a_hurry if in_a_hurry() else seconds
            if time.monotonic() - asked > given:
                return
            time.sleep(POLL_SECONDS)


def _how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


class Supervisor:
    """All children, in the order in which they were started; they stop in the reverse one."""

    def __init__(self, log_dir: Path, *, say: Say, on_change: Callable[[], None]) -> None:
        self._log_dir = log_dir
        self._say = say
        self._on_change = on_change
        self._children: list[Child] = []

    def start(self, program: Program) -> OutputFile:
        """Start it; returns what it prints."""
        output = OutputFile(self._log_dir / f"{program.name}.out")
        self._children.append(Child(program, output))
        self._on_change()
        return output

    @property
    def records(self) -> tuple[ProcessRecord, ...]:
        return tuple(child.record for child in self._children)

    def check_start(self) -> None:
        """Raises StartFailed, with the end of its output, when a program has ended already."""
        for child in self._children:
            if how := child.collect_if_dead():
                raise StartFailed(
                    f"{child.program.name} {how} while the system was starting; the end of "
                    f"{child.output.path}:\n{child.output.end()}"
                )

    def keep_running(self) -> None:
        """One round: start again what has ended, show what is notable."""
        for child in self._children:
            self._show_notable(child)
            if how := child.collect_if_dead():
                self._say(
                    f"{child.program.name} {how}; starting it again in "
                    f"{child.seconds_to_restart:.0f} s (see {child.output.path})"
                )
            elif child.is_down and child.seconds_to_restart == 0:
                self._restart(child)

    def _restart(self, child: Child) -> None:
        child.restart()
        self._on_change()
        self._say(f"{child.program.name} is started again")

    def _show_notable(self, child: Child) -> None:
        for line in child.output.notable_lines() if child.program.is_heard else ():
            self._say(f"{child.program.name} | {line}")

    def stop_all(self, in_a_hurry: Callable[[], bool]) -> Iterator[str]:
        """Stop one after the other; gives each name before it is waited for."""
        while self._children:
            child = self._children[-1]
            yield child.program.name
            child.stop(in_a_hurry)
            self._children.pop()
            self._on_change()
