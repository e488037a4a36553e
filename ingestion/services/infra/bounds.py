"""No verb of the pool waits for the ledger's database longer than it was told to, whatever is frozen,
cut, slow or locked there. Then it raises LedgerUnavailable; what has no end of its own, like a long
export, is bounded statement by statement, or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponseBase

from ingestion import deadline
from ingestion.conf import ledger_call_seconds

# A new connection takes two seconds at most; the rest may be waited for one answer.
RECONNECT_SECONDS = 2.5


@contextmanager
def bounded(*, is_whole: bool = True) -> Iterator[None]:
    """Each answer within its time; with ``is_whole`` all together too."""
    seconds = ledger_call_seconds()
    is_outermost = deadline.current() is None
    all_seconds = seconds if is_whole else math.inf
    with deadline.within(all_seconds, each_seconds=seconds - RECONNECT_SECONDS):
        if is_outermost:
            set_busy_timeout(connection)
        try:
            yield
        finally:
            if is_outermost:
                _unbound()


def _unbound() -> None:
    with deadline.unlimited():
        set_busy_timeout(connection)


def set_busy_timeout(found: BaseDatabaseWrapper, *, at_most_ms: float = math.inf) -> None:
    """SQLite waits for its lock by itself: as long as its settings say, or less."""
    if found.vendor != "sqlite" or found.connection is None:
        return
    usual_ms = 1000 * float(found.settings_dict["OPTIONS"].get("timeout", 5))
    ends = deadline.current()
    bound_ms = math.inf if ends is None else 1000 * ends.each_seconds
    # The driver's own call: Django refuses any in a transaction that has failed.
    found.connection.execute(f"PRAGMA busy_timeout = {round(min(usual_ms, bound_ms, at_most_ms))}")


def _bound_new(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if deadline.current() is not None:
        set_busy_timeout(connection)


connection_created.connect(_bound_new, dispatch_uid="ingestion.bounds")


class BoundedMiddleware:
    """Each question of a page is bounded; an export, which asks while it is sent, is not."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with bounded(is_whole=False):
            return self._get_response(request)
