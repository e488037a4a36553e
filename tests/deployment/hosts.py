"""Programs on hosts: each host a network namespace whose cable can be cut."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tests.chaos.namespace import Namespace

Found = TypeVar("Found")
PATIENCE_SECONDS = 180.0


def wait_for(what: str, look: Callable[[], Found], *, seconds: float = PATIENCE_SECONDS) -> Found:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)
    return found


class Program:
    """One program of the site, started as its unit starts it: ``words`` in the folder ``project``."""

    def __init__(self, *, environment: Mapping[str, str], log: Path) -> None:
        self.words: list[str] = []
        self.project = log.parent
        self.environment, self._log = dict(environment), log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                cwd=self.project,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, *, seconds: float = 60) -> None:
        """As systemd does: SIGTERM to the main process, after a while SIGKILL to all of it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)
            self.process = None


class Host:
    """Another machine of the site."""

    def __init__(self, number: int) -> None:
        self.namespace = Namespace(number)
        self.namespace.make()

    @property
    def address(self) -> str:
        return self.namespace.guest

    @property
    def gateway(self) -> str:
        """The address of the servers, as seen from there."""
        return self.namespace.host

    def words(self, *words: str | Path) -> list[str]:
        """What runs them there."""
        return [*self.namespace.prefix, *map(str, words)]

    def cut(self) -> None:
        self.namespace.cut()

    def heal(self) -> None:
        self.namespace.heal()

    def remove(self) -> None:
        self.namespace.remove()
