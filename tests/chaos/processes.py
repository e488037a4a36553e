"""Processes that are started, killed, stopped and continued, each in a session of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.notes import Death, End, Notes, Stop
from tests.process_tree import children

ROOT = Path(__file__).parents[2]
END_SECONDS = 40.0


class Actor:
    """A process with its children; ``prefix`` goes before its command, as ``ip netns exec`` does.
    ``has_clock``: its wall clock can be moved."""

    def __init__(
        self,
        name: str,
        module: tuple[str, ...],
        *,
        env: dict[str, str],
        folder: Path,
        notes: Notes,
        prefix: tuple[str, ...] = (),
        has_clock: bool = False,
    ) -> None:
        self.name = name
        self.is_stopped = False
        self.is_leaving = False
        self._argv = (*prefix, sys.executable, "-m", *module)
        self._clock_file = folder / f"{name}.clock"
        self._env = {**env, **(self._with_clock() if has_clock else {})}
        self._log = folder / f"{name}.log"
        self._notes = notes
        self._process: subprocess.Popen[bytes] | None = None
        self._stop: Stop | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def is_up(self) -> bool:
        return self.is_running and not self.is_stopped and not self.is_leaving

    @property
    def has_died(self) -> bool:
        """Ended, and not by the chaos."""
        return (
            not self.is_leaving and self._process is not None and self._process.poll() is not None
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_clock(self) -> bool:
        return self._clock_file.exists()

    def set_clock(self, seconds: float) -> None:
        """By how much its wall clock differs from the machine's."""
        written = self._clock_file.with_suffix(".new")
        written.write_text(f"{seconds:+.3f}\n")
        written.replace(self._clock_file)

    def reset_clock(self) -> None:
        self.set_clock(0.0)

    def _with_clock(self) -> dict[str, str]:
        self.set_clock(0.0)
        return {"CHAOS_WALL_FILE": str(self._clock_file)}

    def start(self, *, lacks: str = "") -> None:
        """``lacks``: a Celery task that a worker of an older version does not know."""
        env = {**self._env, "CHAOS_LACKS": lacks}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def forget(self) -> Death:
        """Take note that it has ended by itself."""
        assert self._process is not None
        death = Death(time.monotonic(), self.name, self.pid, self._process.wait())
        self._notes.died.append(death)
        self._process = None
        return death

    def children(self) -> list[int]:
        return sorted(children(self.pid)) if self._process is not None else []

    def kill(self) -> None:
        """kill -9 of all of it."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._notes.killed(self.pid, group=self.pid, is_group=True)
        self._note_continued()
        self._process.wait(timeout=END_SECONDS)
        self._process = None
        self.is_leaving = False

    def kill_child(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._notes.killed(pid, group=self.pid)

    def stop(self) -> None:
        os.killpg(self.pid, signal.SIGSTOP)
        self._stop = Stop(self.pid, time.monotonic())
        self._notes.stops.append(self._stop)
        self.is_stopped = True

    def go_on(self) -> None:
        if self._stop is not None and self._process is not None:
            self._note_continued()
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGCONT)

    def ask_to_end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """The main process alone, as a supervisor does it."""
        self.is_leaving = True
        is_cold = number == signal.SIGQUIT
        self._notes.ends.append(End(time.monotonic(), self.pid, is_cold))
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        """Politely, and with force when that takes too long."""
        if self._process is None:
            return
        self.go_on()
        self.ask_to_end()
        try:
            self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._notes.late.append(f"{self.name} did not end within {END_SECONDS:g} s")
            self.kill()
        self._process = None
        self.is_leaving = False

    def _note_continued(self) -> None:
        if self._stop is not None:
            self._stop.until = time.monotonic()
            self._stop = None
        self.is_stopped = False
