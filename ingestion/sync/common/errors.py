"""Why a sync failed. The class decides whether another attempt makes sense; nothing else does."""

from __future__ import annotations

from datetime import datetime


class SyncError(Exception):
    """A sync failed. The message is one sentence: the CRM, the request, what to do."""


class TransientError(SyncError):
    """Trying again later may help: 429, 5xx, a cut connection, a busy lock.

    ``retry_after_seconds`` is what the CRM asked for, if it did.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Throttled(TransientError):
    """The CRM answers that there were too many requests."""


class SyncBusy(TransientError):
    """Another run of the same model is loading."""


class PermanentError(SyncError):
    """Trying again will not help: credentials, a bad request, an answer that is not understood."""


class CredentialsError(PermanentError):
    """The CRM refused the credentials, or a setting is missing."""


class SettingsMissing(CredentialsError):
    """A setting that a CRM needs is empty; the message names it."""


class NotAllowed(PermanentError):
    """The credentials are right, but may not read this; other models they may."""


class NotConnected(PermanentError):
    """This CRM has routes and commands, but its source is not built yet."""


class NotOffered(PermanentError):
    """This account or back end has no such model; ``all`` passes over it."""


class QuotaExceeded(SyncError):
    """A daily or monthly budget is used up; trying before ``resets_at`` will not help."""

    def __init__(self, message: str, *, resets_at: datetime) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class SyncStopped(BaseException):
    """The run must end now. Derives from BaseException, so that no ``except Exception`` on the
    way swallows it; only the doors (command, task) catch it."""


class SyncCancelled(SyncStopped):
    """Somebody asked the run to stop."""


class SyncInterrupted(SyncStopped):
    """The worker is shut down; the run is to be done again."""


class SyncLeaseLost(SyncStopped):
    """The pool has given the task to somebody else or ended it; nothing may be reported."""
