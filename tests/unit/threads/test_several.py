"""Several calls at once: in order, no more than may be, and ended with whoever waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import NotAllowed, SyncCancelled
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.source import Meter, SourceContext
from ingestion.sync.common.threads.several import in_order
from ingestion.sync.http.client import HttpApi, HttpClient

PATIENCE_SECONDS = 30
CONTEXT = SourceContext({})


def test_answers_come_in_the_order_of_the_calls_whichever_ends_first() -> None:
    has_ended = [threading.Event() for _ in range(5)]

    def call(number: int) -> int:
        # Within each three the later ones end first.
        if number in (1, 2):
            assert has_ended[number + 1].wait(PATIENCE_SECONDS)
        has_ended[number].set()
        return number

    assert list(in_order((partial(call, n) for n in range(5)), CONTEXT)) == [0, 1, 2, 3, 4]


def test_so_many_are_made_at_once_and_no_more() -> None:
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)
    lock, running, highest = threading.Lock(), [0], [0]

    def call(number: int) -> int:
        with lock:
            running[0] += 1
            highest[0] = max(highest[0], running[0])
        if number:  # the first is made by itself
            together.wait()
        with lock:
            running[0] -= 1
        return number

    calls = [partial(call, number) for number in range(10)]
    assert list(in_order(calls, CONTEXT, at_once=3)) == list(range(10))
    assert highest == [3]


def test_who_wants_one_makes_one_call() -> None:
    made = []
    with closing(in_order((partial(made.append, n) for n in range(5)), CONTEXT)) as found:
        next(found)
    assert made == [0]


def test_an_error_keeps_its_place() -> None:
    error, found = NotAllowed("not this one"), list[int]()

    def call(number: int) -> int:
        if number == 3:
            raise error
        return number

    with pytest.raises(NotAllowed) as caught:
        found.extend(in_order([partial(call, n) for n in range(6)], CONTEXT))
    assert caught.value is error
    assert found == [0, 1, 2]


@pytest.fixture
def slow(httpserver: HTTPServer) -> Iterator[tuple[str, threading.Event]]:
    """A server that answers the first request, and an event that says that it was asked again."""
    is_asked, may_answer, first = threading.Event(), threading.Event(), [True]

    def answer(request: Request) -> Response:
        if not first.pop():
            is_asked.set()
            may_answer.wait(PATIENCE_SECONDS)
        first.append(False)
        return Response("{}")

    httpserver.expect_request("/slow").respond_with_handler(answer)
    yield httpserver.url_for("").rstrip("/"), is_asked
    may_answer.set()


def test_a_stop_breaks_off_those_under_way(slow: tuple[str, threading.Event]) -> None:
    url, is_asked = slow

    class Stops(SilentReporter):
        def check(self) -> None:
            if is_asked.is_set():
                raise SyncCancelled("by ann")

    meter = Meter()
    context = SourceContext(
        {}, timeout_seconds=PATIENCE_SECONDS, reporter=Stops(), meter=meter, max_attempts=5
    )
    client = HttpClient(HttpApi("Acme", url), context)
    calls: list[Callable[[], object]] = [partial(client.get, "/slow")] * 9
    with pytest.raises(SyncCancelled, match="by ann"):
        list(client.several(calls))
    assert meter.requests <= 4, "one by itself, then three"
