"""What the pool refuses, each with the code that its scripts return.

A script answers ``{"ERR", code, detail}``; ``error_for(code)`` gives the exception. A test ties
every code in ``lua/*.lua`` to exactly one class here.
"""

from __future__ import annotations

from typing import ClassVar


class PoolError(Exception):
    """The pool refused."""

    code: ClassVar[str] = "POOL_ERROR"


class InvalidSubmission(PoolError, ValueError):
    """The submission was refused and nothing was stored."""

    code = "INVALID_SUBMISSION"


class UnknownSource(InvalidSubmission):
    """No such CRM."""

    code = "UNKNOWN_SOURCE"


class UnknownSyncType(InvalidSubmission):
    """This CRM has no such sync type."""

    code = "UNKNOWN_SYNC_TYPE"


class InvalidParameters(InvalidSubmission):
    """The parameters cannot be used."""

    code = "INVALID_PARAMETERS"


class SecretInParameters(InvalidSubmission):
    """A parameter looks like a credential; credentials belong into settings."""

    code = "SECRET_IN_PARAMETERS"


class InvalidPriority(InvalidSubmission):
    """The priority is out of range."""

    code = "INVALID_PRIORITY"


class InvalidLimit(PoolError, ValueError):
    """The number of workers is out of range."""

    code = "INVALID_LIMIT"


class TaskNotFound(PoolError, LookupError):
    """The pool knows no such task; finished ones are kept for the retention time."""

    code = "NOT_FOUND"


class LeaseLost(PoolError):
    """This attempt no longer holds the task: it was ended, or another attempt runs."""

    code = "GONE"


class AlreadyConfirmed(PoolError):
    """A worker holds this attempt already: the message came twice."""

    code = "ALREADY_CONFIRMED"


class AlreadyFinished(PoolError):
    """The task has ended already."""

    code = "ALREADY_FINISHED"


class InvalidStatusChange(PoolError, ValueError):
    """A task cannot be put into this state from outside."""

    code = "INVALID_STATUS_CHANGE"


class UnreadableTask(PoolError, ValueError):
    """A stored task cannot be read and was set aside."""

    code = "UNREADABLE"


class PoolUnavailable(PoolError):
    """The pool's state cannot be reached."""

    code = "UNAVAILABLE"


class StateLost(PoolUnavailable):
    """Redis has lost the pool's state, or a part of it; it must be rebuilt from the ledger."""

    code = "STATE_LOST"


class LedgerUnavailable(PoolUnavailable):
    """The ledger's database cannot be used."""

    code = "LEDGER_UNAVAILABLE"


def _all_classes(base: type[PoolError]) -> list[type[PoolError]]:
    return [base, *(found for child in base.__subclasses__() for found in _all_classes(child))]


def error_for(code: str, detail: str = "", *, task_id: str = "") -> PoolError:
    """The exception that belongs to a script's code; it says ``detail``, or what the class says."""
    for cls in _all_classes(PoolError):
        if cls.code == code:
            return cls(detail) if detail else refused(cls, task_id)
    raise LookupError(f"a script returned the unknown code {code!r}")


def refused(cls: type[PoolError], task_id: str = "") -> PoolError:
    """A refusal in the words of its class, about one task if an id is given."""
    sentence = " ".join((cls.__doc__ or "").split())
    return cls(f"Task {task_id}: {sentence}" if task_id else sentence)
