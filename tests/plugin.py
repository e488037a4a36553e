"""A pytest plugin for the run as a whole: whatever the tests start ends with it.

SIGTERM ends the run as Ctrl-C does: fixtures stop what they have started. What is left even so,
because the run was killed or a test forgot it, is ended by ``tests.guard``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest
from structlog.contextvars import clear_contextvars

from tests.guard import RUN
from tests.process_tree import children

ROOT = Path(__file__).parents[1]
GUARD = pytest.StashKey[subprocess.Popen[bytes]]()
GUARD_SECONDS = 30


class Terminated(KeyboardInterrupt):
    """Somebody asked this test run to end."""


class OrderlyEnd:
    """Answers SIGTERM; the processes of ``-n`` are told as well, for they run the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # Once: another signal must not cut the tear-down short.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        if self._config.pluginmanager.hasplugin("dsession"):
            for worker in children(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGTERM)
        raise Terminated


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGTERM, OrderlyEnd(config))
    # A shell's background job starts with SIGINT ignored, and so would every process of a test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # the guard looks after the processes of ``-n`` too
        config.stash[GUARD] = _start_guard()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each process of ``-n`` makes data of its own (``tests.settings``)."""
    os.environ.pop("INSIDE_TESTS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-n`` shares tests out by their ids: of two with one id, one would silently be left out."""
    for item in items:
        # schemathesis gives all operations of a schema the id of their test.
        if item.parent and not item.nodeid.endswith(item.name):
            item._id = item.parent.id.child(item.name)
    twice = [nodeid for nodeid, count in Counter(i.nodeid for i in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"tests that have an id in common: {', '.join(twice)}")


def pytest_runtest_teardown() -> None:
    """Of a task that a worker ran before, in the same process, Celery forgets the ids that were bound
    when it begins the next one. A test may call the same functions without Celery."""
    clear_contextvars()


def pytest_unconfigure(config: pytest.Config) -> None:
    if guard := config.stash.get(GUARD, None):
        guard.communicate(timeout=GUARD_SECONDS)


def _start_guard() -> subprocess.Popen[bytes]:
    os.environ[RUN] = str(os.getpid())
    return subprocess.Popen(
        [sys.executable, "-m", "tests.guard", str(os.getpid())],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
