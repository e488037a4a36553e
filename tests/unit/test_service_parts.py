"""A service is made of parts: each of its verbs is a method of one, and waits for nobody for ever."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, OperationalError

from ingestion import deadline
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.infra.verbs import Part
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db

VERBS = sorted(name for name, _ in inspect.getmembers(WorkerPoolService, inspect.isfunction))


class Counter:
    def __init__(self, first: int) -> None:
        self._next = first

    def add(self, *, times: int = 1) -> int:
        """The sum."""
        self._next += times
        return self._next

    def bound(self) -> deadline.Deadline | None:
        return deadline.current()

    def fail(self, problem: Exception) -> None:
        raise problem


class Service:
    _counter = Part[Counter]()
    add = _counter.verb(Counter.add)
    bound = _counter.verb(Counter.bound)
    long_bound = _counter.verb(Counter.bound, is_long=True)
    fail = _counter.verb(Counter.fail)

    def __init__(self, first: int) -> None:
        self._counter = Counter(first)


def test_a_verb_is_the_method_of_its_own_part() -> None:
    one, other = Service(1), Service(10)
    assert (one.add(), other.add(times=5), one.add()) == (2, 15, 3)


def test_a_verb_reads_as_the_method_does() -> None:
    assert str(inspect.signature(Service(1).add)) == "(*, times: 'int' = 1) -> 'int'"
    assert inspect.getdoc(Service.add) == "The sum."


@pytest.mark.parametrize(("verb", "is_whole"), [(Service.bound, True), (Service.long_bound, False)])
def test_a_long_verb_is_bounded_answer_by_answer(
    verb: Callable[[Service], deadline.Deadline | None], is_whole: bool
) -> None:
    bound = verb(Service(1))
    assert bound is not None
    assert (bound.until < math.inf) is is_whole
    assert bound.each_seconds < math.inf
    assert deadline.current() is None


def test_a_database_that_is_away_is_one_error() -> None:
    with pytest.raises(LedgerUnavailable):
        Service(1).fail(OperationalError("server closed the connection unexpectedly"))


def test_a_fault_of_ours_stays_what_it_is() -> None:
    with pytest.raises(DataError):
        Service(1).fail(DataError("value too long"))


@pytest.mark.parametrize("name", [name for name in VERBS if not name.startswith("_")])
def test_every_verb_of_the_pool_is_of_a_part_that_it_has(name: str, bench: Bench) -> None:
    method: Any = inspect.unwrap(getattr(WorkerPoolService, name))
    kinds = [type(part) for part in vars(bench.pool).values()]
    assert method in [getattr(kind, name, None) for kind in kinds]
