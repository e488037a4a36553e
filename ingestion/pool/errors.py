"""What the pool refuses, each with the code that its scripts return.

A script answers ``{"ERR", code, detail}``; ``error_for(code)`` gives the exception. A test ties
every code in ``lua/*.lua`` to exactly one class here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PoolError(Exception):
    """The pool refused."""

    code: ClassVar[str] = "POOL_ERROR"

    @classmethod
    def told(cls, detail: str, task_id: str) -> PoolError:
        """The refusal of a script: with its ``detail``, or with the sentence of the class."""
        return cls(detail) if detail else refused(cls, task_id)


class InvalidSubmission(PoolError, ValueError):
    """The submission was refused and nothing was stored."""

    code = "INVALID_SUBMISSION"


class InvalidSubmissions(InvalidSubmission):
    """Some of several submissions are wrong; nothing was stored."""

    code = "INVALID_SUBMISSIONS"

    def __init__(
        self, message: str = "", *, wrong: Sequence[tuple[int, InvalidSubmission]] = ()
    ) -> None:
        """``wrong``: which, counted from 0, and why."""
        super().__init__(message)
        self.wrong = tuple(wrong)

    @classmethod
    def of(cls, wrong: Sequence[tuple[int, InvalidSubmission]]) -> InvalidSubmissions:
        """With the reasons of the first ten."""
        reasons = [f"{place + 1}: {problem}" for place, problem in wrong[:10]]
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        return cls(f"Nothing was submitted: {' '.join(reasons)}{more}", wrong=wrong)


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


class InvalidPredecessor(InvalidSubmission):
    """Nothing can wait for such a task."""

    code = "INVALID_PREDECESSOR"


class InvalidLimit(PoolError, ValueError):
    """The number of workers is out of range."""

    code = "INVALID_LIMIT"


class InvalidControl(PoolError, ValueError):
    """Such a limit or pause cannot be set."""

    code = "INVALID_CONTROL"


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


class NotQueued(PoolError):
    """Only a task that waits has a place to change; this one runs or has ended."""

    code = "NOT_QUEUED"


class Conflict(PoolError):
    """It has changed since it was looked at; look again."""

    code = "CONFLICT"

    def __init__(self, message: str = "", *, status: str = "", revision: int = 0) -> None:
        """``status`` and ``revision`` are those of the task now; '' where no task is meant."""
        super().__init__(message)
        self.status = status
        self.revision = revision

    @classmethod
    def of(cls, task_id: str, *, status: str, revision: int) -> Conflict:
        sentence = " ".join((cls.__doc__ or "").split())
        now = f"It is {status} now, at revision {revision}." if status else ""
        return cls(f"Task {task_id}: {sentence} {now}".rstrip(), status=status, revision=revision)

    @classmethod
    def told(cls, detail: str, task_id: str) -> PoolError:
        status, _, revision = detail.partition(" ")
        return cls.of(task_id, status=status, revision=int(revision or 0))


class Overlaps(PoolError):
    """A task that does the same work waits or runs already."""

    code = "OVERLAPS"

    def __init__(self, message: str = "", *, other_id: str = "") -> None:
        """``other_id`` is that task's."""
        super().__init__(message)
        self.other_id = other_id

    @classmethod
    def told(cls, detail: str, task_id: str) -> Overlaps:
        sentence = " ".join((cls.__doc__ or "").split())
        which = f"It is task {detail}." if detail else ""
        return cls(f"Task {task_id}: {sentence} {which}".rstrip(), other_id=detail)


class InvalidStatusChange(PoolError, ValueError):
    """A task cannot be put into this state from outside."""

    code = "INVALID_STATUS_CHANGE"


class UnreadableTask(PoolError, ValueError):
    """A stored task cannot be read and was set aside."""

    code = "UNREADABLE"


class PoolUnavailable(PoolError):
    """The pool's state cannot be reached."""

    code = "UNAVAILABLE"
    may_be_read = False  # its server answers, and refuses to serve now


class StateLost(PoolUnavailable):
    """Redis has lost the pool's state, or a part of it; it must be rebuilt from the ledger."""

    code = "STATE_LOST"


class OtherInstallation(PoolUnavailable):
    """The pool's keys in this Redis belong to another installation."""

    code = "OTHER_INSTALLATION"

    @classmethod
    def told(cls, detail: str, task_id: str) -> OtherInstallation:
        key, _, owner = detail.partition(" ")
        if not owner:
            return cls(f"Task {task_id}: {cls.__doc__}" if task_id else cls.__doc__ or "")
        return cls(
            f"The pool's keys {key.rpartition(':')[0]}:* in this Redis belong to another "
            f"installation, that of {owner}: give this one a CACHE_KEY_PREFIX or a Redis of its own; "
            "or, if that one is gone or this is its database moved or restored, run: "
            "manage.py manage_worker_pool take-over"
        )


class NoOrderRule(PoolError):
    """This state has no order rule yet."""

    code = "NO_ORDER_RULE"


class LedgerUnavailable(PoolUnavailable):
    """The ledger's database cannot be used.

    ``is_confirmed``: the store alone has confirmed an attempt, which may not begin before the
    ledger holds it too. Whoever asked has the lease, and goes on asking.
    """

    code = "LEDGER_UNAVAILABLE"
    is_confirmed = False


def _all_classes(base: type[PoolError]) -> list[type[PoolError]]:
    return [base, *(found for child in base.__subclasses__() for found in _all_classes(child))]


def error_for(code: str, detail: str = "", *, task_id: str = "") -> PoolError:
    """The exception that belongs to a script's code; it says ``detail``, or what the class says."""
    for cls in _all_classes(PoolError):
        if cls.code == code:
            return cls.told(detail, task_id)
    raise LookupError(f"a script returned the unknown code {code!r}")


def refused(cls: type[PoolError], task_id: str = "") -> PoolError:
    """A refusal with the sentence of its class, about one task if an id is given."""
    sentence = " ".join((cls.__doc__ or "").split())
    return cls(f"Task {task_id}: {sentence}" if task_id else sentence)
