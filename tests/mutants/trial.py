"""Runs the tests of a scope in a copy of the project in which something is mutated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutation import Mutation

# A mutant may never come to an end; so many times as long as without it is enough.
PATIENCE = 5
LEAST_SECONDS = 60


class TestsFail(Exception):
    """The tests fail without any mutation."""


@dataclass
class Trial:
    """``folder``: a copy of the project that is nobody else's."""

    folder: Path
    tests: tuple[str, ...]
    seconds: float = LEAST_SECONDS

    def try_unchanged(self) -> None:
        """Raises TestsFail."""
        begun = time.monotonic()
        code, output = self._run(deadline_seconds=3600)
        if code:
            raise TestsFail(output[-4000:])
        self.seconds = max(LEAST_SECONDS, PATIENCE * (time.monotonic() - begun))

    def notices(self, mutation: Mutation) -> str | None:
        """The test that noticed, in pytest's words; None when none did."""
        with self._mutated(mutation):
            code, output = self._run(deadline_seconds=self.seconds)
        if code == 0:
            return None
        failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0] if failed else f"pytest ended with {code}"

    @contextmanager
    def _mutated(self, mutation: Mutation) -> Iterator[None]:
        path = self.folder / mutation.path
        source = path.read_bytes()
        try:
            _write(path, mutation.applied(source))
            yield
        finally:
            _write(path, source)

    def _run(self, *, deadline_seconds: float) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONPATH": ""}
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *self.tests],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=deadline_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return -1, f"FAILED: not at its end after {deadline_seconds:.0f} s"
        return process.returncode, output


def _write(path: Path, source: bytes) -> None:
    """Without the bytecode of what stood there: it is known by its second and size only."""
    path.write_bytes(source)
    for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        cached.unlink()
