"""A version of the project as it stands in a folder, and how its programs are started."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from data_warehouse.environment import BASE_DIR
from tests.missing import cannot_have

PORT = 8000


@dataclass(frozen=True)
class Release:
    """``prepare``: the words of ``manage.py`` that its pages name before a start and after an update.
    ``celery`` and ``web`` are words of ``python``, which has what it needs."""

    folder: Path
    python: Path
    prepare: tuple[tuple[str, ...], ...]
    web: tuple[str, ...]
    celery: tuple[str, ...]
    has_control: bool = True

    def worker(self, name: str, queue: str, *options: str) -> tuple[str, ...]:
        # Each namespace has this machine's name, a real host its own.
        who = ("--hostname", f"{name}@{{host}}", "--queues", queue)
        return (*self.celery, "worker", *who, *options)


TODAY = Release(
    BASE_DIR,
    Path(sys.executable),
    prepare=(("deploy",),),
    web=("-m", "data_warehouse.web", "--listen", f"0.0.0.0:{PORT}"),
    celery=("-m", "celery", "--quiet", "-A", "data_warehouse"),
)


MADE_UP = "tests/fakeapp/management/commands/sync_five9_contacts.py"
CARRIED_OUT = "            self._sync(run, model, options)\n"


def _write_down_whole_runs(folder: Path) -> None:
    """As the made-up sync of today does."""
    file = folder / MADE_UP
    before, carried_out, after = file.read_text().partition(CARRIED_OUT)
    assert carried_out
    file.write_text(f'{before}{carried_out}            write_down("whole", label)\n{after}')


def of_06fed9c(folder: Path, environment: Path) -> Release:
    """``folder`` has its files; what it needs is installed into ``environment``."""
    _write_down_whole_runs(folder)
    python = environment / "bin" / "python"
    for words in (
        ("venv", "--quiet", "--python", sys.executable, str(environment)),
        ("pip", "install", "--quiet", "--python", str(python), "-r", "requirements.txt"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "uv", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            cannot_have("What the earlier release needs", done.stderr)
    return Release(
        folder,
        python,
        prepare=(("migrate", "--noinput"), ("collectstatic", "--noinput", "--verbosity", "0")),
        web=(
            *("-m", "gunicorn", "data_warehouse.wsgi", "--bind", f"0.0.0.0:{PORT}"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "8"),
            "--no-control-socket",
        ),
        celery=("-m", "celery", "-A", "data_warehouse"),
        has_control=False,
    )
