"""A service is made of parts, and each of its verbs is a method of one of them, with what all verbs have in
common: bounded waits, and one error for a database that cannot be used."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ingestion.services.infra.bounds import bounded
from ingestion.services.infra.database import as_unavailable

Kind = TypeVar("Kind")
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Part(Generic[Kind]):
    """An attribute of a service that holds one of its parts. Its verbs take, answer and raise what the
    methods of the part do."""

    def __set_name__(self, service: type, name: str) -> None:
        self._name = name

    def __set__(self, service: object, part: Kind) -> None:
        vars(service)[self._name] = part

    def verb(
        self, method: Callable[Concatenate[Kind, Given], Answer], *, is_long: bool = False
    ) -> Callable[Concatenate[Any, Given], Answer]:
        """Bounded as a whole, or where it ``is_long`` statement by statement. Where the database is
        away or refuses, it raises LedgerUnavailable."""

        @functools.wraps(method)
        def call(service: Any, /, *args: Given.args, **options: Given.kwargs) -> Answer:
            with bounded(is_whole=not is_long), as_unavailable():
                return method(vars(service)[self._name], *args, **options)

        return call
