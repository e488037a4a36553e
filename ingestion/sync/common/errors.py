"""Why a sync failed. The class decides whether another attempt makes sense; nothing else does.

Each class has a word, ``error_class``, that the ledger keeps for programs beside the sentence for
people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches

# Not a sync's own error: a fault of this project, or of what it stands on.
UNEXPECTED = "unexpected"
# The process ended, or made no progress, without a word.
LOST = "lost"


class SyncError(Exception):
    """A sync failed. The message is one sentence: the CRM, the request, what to do."""

    error_class = "failed"


class TransientError(SyncError):
    """Trying again later may help: 429, 5xx, a cut connection, a busy lock.

    ``retry_after_seconds`` is what the CRM asked for, if it did.
    """

    error_class = "transient"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Throttled(TransientError):
    """The CRM answers that there were too many requests."""

    error_class = "throttled"


class TimedOut(TransientError):
    """The CRM took too long over a request."""

    error_class = "timeout"


class SyncBusy(TransientError):
    """Another run of the same model is loading."""

    error_class = "busy"


class PermanentError(SyncError):
    """Trying again will not help: credentials, a bad request, an answer that is not understood."""

    error_class = "permanent"


class TooLarge(PermanentError):
    """The CRM refuses a request or an answer of this size."""

    error_class = "too_large"


class StoredStateInvalid(PermanentError):
    """What earlier runs have left, the schema or the tables, does not fit any more; a full run
    makes it again."""

    error_class = "kept_state"


class TooManyRejected(PermanentError):
    """More records than allowed cannot be loaded, so none was."""

    error_class = "rejected"


class CredentialsError(PermanentError):
    """The CRM refused the credentials, or a setting is missing."""

    error_class = "credentials"


class SettingsMissing(CredentialsError):
    """A setting that a CRM needs is empty; the message names it."""

    error_class = "settings_missing"


class NotAllowed(PermanentError):
    """The credentials are right, but may not read this; other models they may."""

    error_class = "not_allowed"


class NotConnected(PermanentError):
    """This CRM has routes and commands, but its source is not built yet."""

    error_class = "not_connected"


class NotOffered(PermanentError):
    """This account or back end has no such model; ``all`` passes over it."""

    error_class = "not_offered"


class QuotaExceeded(SyncError):
    """A daily or monthly budget is used up; trying before ``resets_at`` will not help."""

    error_class = "quota"

    def __init__(self, message: str, *, resets_at: datetime) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class SyncStopped(BaseException):
    """The run must end now. Derives from BaseException, so that no ``except Exception`` on the
    way swallows it; only the entry points (command, task) catch it."""


class SyncCancelled(SyncStopped):
    """Somebody asked the run to stop."""


class SyncInterrupted(SyncStopped):
    """The worker is shut down; the run is to be done again."""


class SyncLeaseLost(SyncStopped):
    """The pool has given the task to somebody else or ended it; nothing may be reported."""


def error_class_of(error: BaseException) -> str:
    """The word for an error of any kind."""
    return error.error_class if isinstance(error, SyncError) else UNEXPECTED


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """`` (did you mean 'contacts'?)``, to stand behind what was typed; empty where nothing is near."""
    near = get_close_matches(typed.lower(), known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
