"""What every verb of the pool's service has in common: bounded waits, and one error for a database that
cannot be used."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container
from typing import Any, TypeVar

from ingestion.services.infra.bounds import bounded
from ingestion.services.infra.database import as_unavailable

Service = TypeVar("Service")


def bounded_verbs(*, long: Container[str]) -> Callable[[type[Service]], type[Service]]:
    """Bounds every public method of a class; those that are ``long`` statement by statement. Where
    the database is away or refuses, each raises LedgerUnavailable."""

    def bind(service: type[Service]) -> type[Service]:
        for name in dir(service):
            verb = getattr(service, name)
            if not name.startswith("_") and callable(verb):
                setattr(service, name, _bounded(verb, is_whole=name not in long))
        return service

    return bind


def _bounded(verb: Callable[..., Any], *, is_whole: bool) -> Callable[..., Any]:
    @functools.wraps(verb)
    def call(*args: Any, **options: Any) -> Any:
        with bounded(is_whole=is_whole), as_unavailable():
            return verb(*args, **options)

    return call
