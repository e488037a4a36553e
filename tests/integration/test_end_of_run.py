"""Whatever the tests start ends with the test run, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.runfile import ProcessMark
from tests.integration.system import ROOT, wait_for

# A server in a session of its own, with a child in another one that no fixture knows.
CHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
SERVER = f"""
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, text=True, start_new_session=True
)
with open(sys.argv[1] + ".new", "w") as out:
    out.write(f"{{os.getpid()}} {{child.stdout.readline()}}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
child.wait()
"""
TEST = f"""
import os, pathlib, subprocess, sys, time
import pytest

FOLDER = pathlib.Path(__file__).parent

@pytest.fixture
def server():
    argv = [sys.executable, "-c", {SERVER!r}, str(FOLDER / "pids")]
    process = subprocess.Popen(argv, start_new_session=True)
    yield
    process.kill()
    process.wait()
    FOLDER.joinpath("ended").touch()

def test_takes_long(server):
    time.sleep(600)
"""


@pytest.fixture(params=["0", "1"], ids=["alone", "in a process of -n"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> subprocess.Popen[bytes]:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_long.py").write_text(TEST)
    words = ("-p", "tests.plugin", "-p", "no:django", "-p", "no:cacheprovider")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO"))}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *words, "-n", request.param, str(tmp_path)],
        cwd=ROOT,
        env=kept,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def started(folder: Path) -> list[ProcessMark]:
    """The server and its child, once both are there."""
    pids = folder / "pids"
    wait_for(pids.exists, what="the server of the test")
    return [ProcessMark.of(int(pid)) for pid in pids.read_text().split()]


def end_all(marks: list[ProcessMark]) -> Callable[[], bool]:
    return lambda: not any(mark.is_alive for mark in marks)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_tears_down_first(
    run: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    marks = started(tmp_path)
    run.send_signal(number)
    assert run.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    assert (tmp_path / "ended").exists()
    assert not any(mark.is_alive for mark in marks)


def test_a_run_that_is_killed_leaves_nothing(run: subprocess.Popen[bytes], tmp_path: Path) -> None:
    marks = started(tmp_path)
    run.kill()
    run.wait(timeout=60)
    wait_for(end_all(marks), what="the end of what the run started")
    assert not (tmp_path / "ended").exists()


def test_this_run_ends_what_it_starts(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.hasplugin("tests.plugin")
