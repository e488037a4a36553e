"""How a sub-command ends: exit codes, and the sentence that goes with each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.db import DatabaseError, InterfaceError

from ingestion.pool.errors import (
    AlreadyConfirmed,
    AlreadyFinished,
    InvalidControl,
    InvalidLimit,
    InvalidSubmission,
    LeaseLost,
    NotQueued,
    Overlaps,
    PoolError,
    PoolUnavailable,
    TaskNotFound,
)
from ingestion.pool.errors import Conflict as Changed
from ingestion.services.automation.rule_errors import ActNotFound, AlreadyDecided, UnknownRule
from ingestion.services.data.errors import InvalidQuestion, UnknownDataset
from ingestion.services.infra.cursor import InvalidCursor
from ingestion.services.notices.channels import InvalidChannel, UnknownChannel
from ingestion.services.runlog.lines import RunNotFound
from ingestion.services.scheduling.errors import InvalidSchedule, ScheduleExists, ScheduleNotFound


class Exit(IntEnum):
    """What the shell sees. 130 and 141 are what shells themselves give for these signals."""

    FINE = 0
    FAILED = 1
    WRONG_USE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNREACHABLE = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


@dataclass(frozen=True)
class Failure:
    """``code`` is for programs, ``message`` one sentence for people."""

    code: str
    message: str
    exit: Exit

    def to_dict(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}


class CliError(Exception):
    """A sub-command cannot do what was asked."""

    code = "FAILED"
    exit = Exit.FAILED


class WrongUse(CliError):
    """The words typed make no sense together, or a confirmation is missing."""

    code = "WRONG_USE"
    exit = Exit.WRONG_USE


class Conflict(CliError):
    """The state of the task or the pool does not allow it."""

    code = "CONFLICT"
    exit = Exit.CONFLICT


class NotHealthy(CliError):
    """``status --check`` found something wrong."""

    code = "NOT_HEALTHY"


class NothingRuns(NotHealthy):
    """No worker is online: whatever is submitted waits until one comes."""

    code = "NOTHING_RUNS"
    exit = Exit.UNREACHABLE


class Disagreements(CliError):
    """``doctor`` found something, or could not cure all of it."""

    code = "DISAGREEMENTS"


class NotCompleted(CliError):
    """The task that ``submit --wait`` followed did not complete."""

    code = "NOT_COMPLETED"


# The first class that fits decides; PoolError itself comes last.
EXITS: tuple[tuple[type[PoolError], Exit], ...] = (
    (InvalidSubmission, Exit.WRONG_USE),
    (InvalidLimit, Exit.WRONG_USE),
    (InvalidControl, Exit.WRONG_USE),
    (InvalidSchedule, Exit.WRONG_USE),
    (TaskNotFound, Exit.NOT_FOUND),
    (ScheduleNotFound, Exit.NOT_FOUND),
    (ScheduleExists, Exit.CONFLICT),
    (UnknownRule, Exit.NOT_FOUND),
    (ActNotFound, Exit.NOT_FOUND),
    (AlreadyDecided, Exit.CONFLICT),
    (UnknownChannel, Exit.NOT_FOUND),
    (RunNotFound, Exit.NOT_FOUND),
    (InvalidChannel, Exit.WRONG_USE),
    (UnknownDataset, Exit.NOT_FOUND),
    (InvalidQuestion, Exit.WRONG_USE),
    (InvalidCursor, Exit.WRONG_USE),
    (AlreadyFinished, Exit.CONFLICT),
    (AlreadyConfirmed, Exit.CONFLICT),
    (LeaseLost, Exit.CONFLICT),
    (NotQueued, Exit.CONFLICT),
    (Overlaps, Exit.CONFLICT),
    (Changed, Exit.CONFLICT),
    (PoolUnavailable, Exit.UNREACHABLE),
    (PoolError, Exit.FAILED),
)

EXPLAINED = (CliError, PoolError, DatabaseError, InterfaceError)


def explain(problem: Exception) -> Failure:
    """The failure that one of ``EXPLAINED`` stands for."""
    if isinstance(problem, CliError):
        return Failure(problem.code, str(problem), problem.exit)
    if isinstance(problem, PoolError):
        found = next(code for cls, code in EXITS if isinstance(problem, cls))
        return Failure(problem.code, _sentence(problem), found)
    return Failure(
        "LEDGER_UNAVAILABLE",
        f"The ledger's database cannot be used ({_first_line(problem)}); check DATABASE_URL "
        "and run 'manage.py migrate'.",
        Exit.FAILED,
    )


def _sentence(problem: PoolError) -> str:
    return str(problem) or (type(problem).__doc__ or "").strip()


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0].strip()
