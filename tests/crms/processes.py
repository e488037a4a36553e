"""Runs in processes of their own, forked as Celery forks its workers; some of them are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess

from ingestion.sync.common.progress import Reporter, SilentReporter

DEADLINE_SECONDS = 300
Work = Callable[[Reporter], object]


class Mortal(SilentReporter):
    """Kills its own process with SIGKILL at a step of a model: in ``extract`` when its first page
    has been read, in ``load`` when the first piece of the load has begun."""

    def __init__(self, step: str, model: str) -> None:
        self._dies_at = (step, model)
        self._now = ("", "")

    def step(self, model: str, step: str) -> None:
        self._now = (step, model)

    def advance(self, model: str, *, rows: int) -> None:
        self.check()

    def check(self) -> None:
        if self._now == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_in(step: str, model: str, work: Work) -> None:
    """Do ``work`` in a process that dies at a step; fails where it came through or failed else."""
    process = start(work, Mortal(step, model))
    finish([process], expected=-signal.SIGKILL)


def start(work: Work, reporter: Reporter) -> ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=work, args=(reporter,))
    process.start()
    return process


def finish(processes: Sequence[ForkProcess], *, expected: int = 0) -> None:
    """Wait for all of them; fails where one ends otherwise than expected."""
    for process in processes:
        process.join(DEADLINE_SECONDS)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [expected] * len(processes)
