"""The programs of ``up``: started, kept running, stopped in order, none left behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_warehouse.logs import console_formatter, json_formatter
from ingestion.runfile import ProcessMark, ProcessRecord
from ingestion.services.system import leftovers, processes
from ingestion.services.system.output import OutputFile
from ingestion.services.system.processes import Program, StartFailed, Supervisor

PATIENCE_SECONDS = 30
READY = "print('ready', flush=True)"
FOREVER = f"import time; {READY}; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
WITH_GRANDCHILD = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {FOREVER}"
)


class System:
    """A supervisor, what it said, and the run of its programs' names."""

    def __init__(self, log_dir: Path) -> None:
        self.said: list[str] = []
        self.log_dir = log_dir
        self.supervisor = Supervisor(log_dir, say=self.said.append, on_change=lambda: None)

    def start(self, name: str, code: str, *, grace_seconds: float = 20, ready: int = 1) -> int:
        """Start and wait until ``ready`` processes of it have said so; its pid."""
        steps = ((signal.SIGTERM, grace_seconds),)
        command = (sys.executable, "-c", code)
        self.supervisor.start(Program(name, command, cwd=self.log_dir, stop_steps=steps))
        output = self.log_dir / f"{name}.out"
        wait_until(lambda: output.read_text().count("ready") >= ready)
        return self.supervisor.records[-1].mark.pid

    def stop(self, *, in_a_hurry: bool = False) -> list[str]:
        return list(self.supervisor.stop_all(lambda: in_a_hurry))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setattr(processes, "FIRST_BACKOFF_SECONDS", 0.05)
    system = System(tmp_path)
    yield system
    system.stop(in_a_hurry=True)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def group_is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_stops_in_the_reverse_order(system: System) -> None:
    groups = [system.start(name, FOREVER) for name in ("redis", "worker", "web")]

    assert system.stop() == ["web", "worker", "redis"]
    wait_until(lambda: all(map(group_is_empty, groups)))


def test_kills_a_program_that_does_not_listen(system: System) -> None:
    group = system.start("worker", STUBBORN, grace_seconds=0.1)

    system.stop()

    wait_until(lambda: group_is_empty(group))


def test_a_hurry_cuts_a_long_grace_short(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HURRIED_SECONDS", 0.1)
    group = system.start("worker", STUBBORN, grace_seconds=100 * PATIENCE_SECONDS)

    system.stop(in_a_hurry=True)

    wait_until(lambda: group_is_empty(group))


def test_ends_what_a_program_has_started_as_well(system: System) -> None:
    group = system.start("worker", WITH_GRANDCHILD, ready=2)

    system.stop()

    wait_until(lambda: group_is_empty(group))


def test_starts_a_dead_program_again_and_says_so(system: System) -> None:
    first = system.start("web", FOREVER)
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        system.supervisor.keep_running()
        return system.supervisor.records[0].restarts == 1

    wait_until(is_back)
    assert system.supervisor.records[0].mark.pid != first
    assert system.said[0].startswith("web was ended by SIGKILL; starting it again in")
    assert system.said[1] == "web is started again"


def test_a_dead_program_takes_its_children_along(system: System) -> None:
    group = system.start("worker", WITH_GRANDCHILD, ready=2)
    os.kill(group, signal.SIGKILL)

    def is_back() -> bool:
        system.supervisor.keep_running()
        return system.supervisor.records[0].restarts == 1

    wait_until(is_back)
    wait_until(lambda: group_is_empty(group))


def test_a_program_that_ends_while_starting_fails_with_what_it_printed(system: System) -> None:
    system.start("web", f"{READY}; raise SystemExit('no module named x')")

    def fails() -> bool:
        try:
            system.supervisor.check_start()
        except StartFailed as problem:
            message = str(problem)
            return "web ended with code 1" in message and "no module named x" in message
        return False

    wait_until(fails)


def test_shows_the_notable_lines_of_a_flood_in_part(tmp_path: Path) -> None:
    path = tmp_path / "web.out"
    path.write_text("ERROR of an earlier run\n")
    output = OutputFile(path)
    with output.writer() as out:
        out.write(b"INFO hello\n" + b"ERROR no\n" * 7 + b"ERROR half a li")

    shown = output.notable_lines()

    assert shown == [*["ERROR no"] * 5, f"... and 2 more in {path}"]
    with output.writer() as out:
        out.write(b"ne\n")
    assert output.notable_lines() == ["ERROR half a line"]
    assert "earlier run" not in output.end()


@pytest.mark.parametrize("formatter", [console_formatter, json_formatter])
def test_shows_what_the_programs_log_as_a_warning(
    formatter: Callable[[], logging.Formatter], tmp_path: Path
) -> None:
    output = OutputFile(tmp_path / "worker.out")
    with output.writer() as out:
        for level in (logging.INFO, logging.WARNING):
            record = logging.LogRecord("ingestion", level, "", 1, "a sentence", (), None)
            out.write(formatter().format(record).encode() + b"\n")
    (shown,) = output.notable_lines()
    assert "warning" in shown


def test_finds_the_object_that_this_run_has_printed_whole(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.out"
    path.write_text('{"settings": "of an earlier run"}\n')
    output = OutputFile(path)
    with output.writer() as out:
        out.write(b'{half\n{"event": "starting"}\n{"settings": {"A": "1"}')

    assert output.printed_object("settings") is None
    with output.writer() as out:
        out.write(b"}\n")
    assert output.printed_object("settings") == {"settings": {"A": "1"}}


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True) as process:
        yield process
        process.kill()


def test_what_an_earlier_run_left_is_ended(stranger: subprocess.Popen[bytes]) -> None:
    record = ProcessRecord("worker", ProcessMark.of(stranger.pid), "")

    assert leftovers.stop_leftovers([record]) == ["worker"]
    assert stranger.wait(PATIENCE_SECONDS) == -signal.SIGTERM


def test_a_later_process_under_the_same_pid_is_left_alone(
    stranger: subprocess.Popen[bytes],
) -> None:
    record = ProcessRecord("worker", ProcessMark(stranger.pid, "started earlier"), "")

    assert leftovers.stop_leftovers([record]) == []
    leftovers.signal_group(record.mark, signal.SIGKILL)
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(timeout=0.5)
