"""Every command of the pages is run as it stands there, in a copy of the project, and its output is
what the page shows. The commands of one page follow each other in one system."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_warehouse.environment import BASE_DIR
from tests.documents.snippets import Command, commands, missing_from
from tests.project_copy import copy_project

pytestmark = pytest.mark.documents

PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((BASE_DIR / "docs").glob("*.md"))))
WITH_COMMANDS = [page for page in PAGES if any(commands(BASE_DIR / page))]
SECONDS = 600
# What these make is there already; the clone's own environment would be filled again.
MADE = ("-o", ".venv/.runtime", "-o", ".venv/.development")
TESTS_OWN = {
    *("INSIDE_TESTS", "DJANGO_SETTINGS_MODULE", "CI", "VAR_DIR", "LOG_DIR"),
    *("CACHE_URL", "CELERY_BROKER_URL"),
}
START = Command("make up ARGS='--empty --rows 20'", 0, shown=["Press Ctrl-C to stop everything."])
TASK_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b")


class Clone:
    """A copy of the project with a terminal in it, and the programs that were left running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy_project(folder)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        self._running: list[subprocess.Popen[str]] = []
        self._last_task = "ID"

    def run(self, command: Command) -> tuple[int, str]:
        """Exit code and what it printed; of a program that stays, what it printed until it was
        ready."""
        words = re.sub(r"\bID\b", self._last_task, command.words)
        words = re.sub(r"^make ", f"make {shlex.join(MADE)} ", words)
        process = subprocess.Popen(
            ["bash", "-c", words],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        stays = command.words.startswith("make up")
        printed = _until_shown(process, command.shown) if stays else _to_the_end(process)
        if process.poll() is None:
            self._running.append(process)
        self._last_task = (TASK_ID.findall(printed) or [self._last_task])[-1]
        return process.returncode or 0, printed

    def stop(self) -> None:
        """Ctrl-C in the terminal of the program that was started last."""
        process = self._running.pop()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS)

    def close(self) -> None:
        while self._running:
            self.stop()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in TESTS_OWN}
        path = f"{self.folder / '.venv' / 'bin'}:{kept['PATH']}"
        return {**kept, "PATH": path, "DOTENV_FILE": os.devnull, "COLUMNS": "100"}


def _until_shown(process: subprocess.Popen[str], shown: list[str]) -> str:
    """Until everything shown was printed; the rest is read away, so that it never waits for it."""
    printed: list[str] = []
    is_complete = threading.Event()
    threading.Thread(
        target=_read_away, args=(process, shown, printed, is_complete), daemon=True
    ).start()
    is_complete.wait(SECONDS)
    return "".join(printed)


def _read_away(
    process: subprocess.Popen[str],
    shown: list[str],
    printed: list[str],
    is_complete: threading.Event,
) -> None:
    assert process.stdout
    for line in process.stdout:
        printed.append(line)
        if not missing_from(shown, "".join(printed)):
            is_complete.set()
    is_complete.set()


def _to_the_end(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=SECONDS)[0] or ""
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0] + f"\nstill running after {SECONDS} seconds"


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    clone = Clone(tmp_path / "warehouse")
    yield clone
    clone.close()


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_what_a_page_shows_is_what_its_commands_print(page: str, clone: Clone) -> None:
    if page != "README.md":  # which starts the system itself
        clone.run(START)
    problems = []
    for command in commands(BASE_DIR / page):
        if command.why_not_run:
            continue
        if command.is_after_stop:
            clone.stop()
        code, printed = clone.run(command)
        missing = missing_from(command.shown, printed)
        if code != command.exit_code or missing:
            problems.append(
                f"{page}:{command.line}: {command.words}\n  ended with {code}; not printed: "
                f"{missing}\n  printed:\n{printed}"
            )
    assert not problems, "\n\n".join(problems)
