"""What is compared but is no part of the project: installed into folders of the bench's own."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 600
EARLIER_RELEASE = "06fed9c"


@dataclass(frozen=True)
class Extra:
    """``path``: where it stands; None where it cannot be had, and ``reason`` says why."""

    path: Path | None
    reason: str = ""


def mysqlclient(folder: Path) -> Extra:
    """A folder for PYTHONPATH."""
    target = folder / "mysqlclient"
    if not (target / "MySQLdb").is_dir():
        problem = _pip(sys.executable, "--no-deps", "--target", str(target), "mysqlclient>=2.2")
        if problem:
            return Extra(None, f"it cannot be installed here: {problem}")
    return Extra(target)


def ingestr(folder: Path) -> Extra:
    """The program, in an environment of its own."""
    place = folder / "ingestr"
    program = place / "bin" / "ingestr"
    if not program.exists():
        venv.create(place, clear=True, with_pip=True)
        problem = _pip(str(place / "bin" / "python"), "ingestr")
        if problem:
            return Extra(None, f"it cannot be installed here: {problem}")
    # The package fetches its program from elsewhere, when it is first run.
    problem = _failure([str(program), "--version"])
    return Extra(None, f"it cannot be run here: {problem}") if problem else Extra(program)


def earlier_release(folder: Path) -> Extra:
    """A folder for PYTHONPATH, from git."""
    target = folder / EARLIER_RELEASE
    if not (target / "data_warehouse").is_dir():
        target.mkdir(exist_ok=True)
        command = f"git archive {EARLIER_RELEASE} data_warehouse ingestion | tar -x -C '{target}'"
        problem = _failure(["sh", "-c", f"set -e; {command}"])
        if problem or not (target / "data_warehouse").is_dir():
            return Extra(None, f"git does not have it here: {problem}")
    return Extra(target)


def _pip(python: str, *words: str) -> str:
    return _failure([python, "-m", "pip", "install", "--quiet", *words])


def _failure(words: list[str]) -> str:
    """What went wrong, in one line; empty where nothing did."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    told = [line for line in lines if line.startswith(("ERROR", "failed"))] or lines or ["no word"]
    return "" if done.returncode == 0 else told[-1]
