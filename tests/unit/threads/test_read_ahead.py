"""Reading ahead: bounded, in order, and ended with whoever reads."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import closing

import pytest
from pytest_httpserver import HTTPServer
from structlog.contextvars import bound_contextvars, get_contextvars
from werkzeug import Request, Response

from ingestion.sync.common.errors import SyncCancelled, SyncLeaseLost, TransientError
from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.source import SourceContext
from ingestion.sync.common.threads.ahead import ReadAhead, Size
from ingestion.sync.common.threads.halt import check
from ingestion.sync.http.client import HttpApi, HttpClient

PATIENCE_SECONDS = 30
FAR = Size(pages=100, records=10_000, bytes_read=10_000)
Read = Callable[[], Generator[int, None, None]]


def ahead(
    read: Read,
    *,
    most: Size = FAR,
    reporter: Reporter | None = None,
    size: Callable[[int], Size] = lambda number: Size(pages=1),
) -> ReadAhead[int]:
    return ReadAhead(
        read, size=size, most=most, reporter=reporter or SilentReporter(), name="a test"
    )


def test_all_come_in_their_order() -> None:
    assert list(ahead(lambda: (number for number in range(500)))) == list(range(500))


def test_it_begins_before_somebody_asks_and_ends_when_nobody_does() -> None:
    has_begun, has_ended = threading.Event(), threading.Event()

    def read() -> Generator[int, None, None]:
        has_begun.set()
        try:
            yield from range(1_000)
        finally:
            has_ended.set()

    begun = ahead(read, most=Size(2, 100, 100))
    assert has_begun.wait(PATIENCE_SECONDS)
    begun.close()
    assert has_ended.is_set()


def test_the_next_one_is_read_while_one_is_in_use() -> None:
    begun = [threading.Event() for _ in range(4)]

    def read() -> Generator[int, None, None]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    for number in ahead(read, most=Size(1, 1, 1)):
        if number + 1 < len(begun):
            assert begun[number + 1].wait(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("most", "size", "highest"),
    [
        (Size(3, 10**6, 10**6), Size(1, 100, 100), 3),
        (Size(100, 250, 10**6), Size(1, 100, 100), 3),
        (Size(100, 10**6, 50), Size(1, 100, 100), 1),
    ],
    ids=["pages", "records", "bytes"],
)
def test_no_more_waits_than_may(most: Size, size: Size, highest: int) -> None:
    taken, waiting, is_full = [0], list[int](), threading.Event()

    def read() -> Generator[int, None, None]:
        for number in range(30):
            waiting.append(number - taken[0])
            if number == highest:  # the last that may be read while one is in use
                is_full.set()
            yield number

    with closing(iter(ahead(read, most=most, size=lambda _: size))) as pages:
        for _ in pages:
            taken[0] += 1
            assert is_full.wait(PATIENCE_SECONDS)
    assert len(waiting) == 30
    assert max(waiting) <= highest


def test_an_error_is_raised_as_it_is_behind_what_came_before_it() -> None:
    error = TransientError("cut off")

    def breaks() -> None:
        raise error

    def read() -> Generator[int, None, None]:
        yield 1
        yield 2
        breaks()

    found = list[int]()
    with pytest.raises(TransientError) as caught:
        found.extend(ahead(read))
    assert caught.value is error
    assert found == [1, 2]
    assert "breaks" in [f.name for f in traceback.extract_tb(error.__traceback__)]


def test_only_the_thread_of_the_run_asks_the_reporter() -> None:
    class Asked(SilentReporter):
        def __init__(self) -> None:
            self.by: set[int] = set()

        def check(self) -> None:
            self.by.add(threading.get_ident())

    reporter = Asked()

    def read() -> Generator[int, None, None]:
        for number in range(5):
            check(reporter)
            yield number

    assert list(ahead(read, reporter=reporter)) == [0, 1, 2, 3, 4]
    assert reporter.by == {threading.get_ident()}


def test_what_the_reporter_knows_ends_it_before_the_next_request() -> None:
    class Knows(SilentReporter):
        is_lost = False

        def check_known(self) -> None:
            if self.is_lost:
                raise SyncLeaseLost("given to another")

    reporter, asked = Knows(), list[int]()

    def read() -> Generator[int, None, None]:
        for number in range(5):
            check(reporter)
            asked.append(number)
            yield number
            reporter.is_lost = number == 1

    with pytest.raises(SyncLeaseLost, match="given to another"):
        list(ahead(read, reporter=reporter))
    assert asked == [0, 1]


def test_a_stop_ends_the_reading_within_one_page() -> None:
    class Stops(SilentReporter):
        is_cancelled = False

        def check(self) -> None:
            if self.is_cancelled:
                raise SyncCancelled("by ann")

    reporter, has_ended = Stops(), threading.Event()
    threads = set()

    def read() -> Generator[int, None, None]:
        try:
            for number in range(1_000_000):
                check(reporter)
                threads.add(threading.get_ident())
                yield number
        finally:
            threads.add(threading.get_ident())
            has_ended.set()

    taken = []

    def take() -> None:
        for number in ahead(read, reporter=reporter, most=Size(2, 100, 100)):
            taken.append(number)
            reporter.is_cancelled = number == 4

    with pytest.raises(SyncCancelled, match="by ann"):
        take()
    assert taken == [0, 1, 2, 3, 4]
    assert has_ended.is_set()
    assert len(threads) == 1, "a source is closed by the thread that has used it"
    assert threading.get_ident() not in threads


def test_an_answer_that_does_not_come_keeps_nobody(httpserver: HTTPServer) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(request: Request) -> Response:
        is_asked.set()
        may_answer.wait(PATIENCE_SECONDS)
        return Response("{}")

    class Stops(SilentReporter):
        def check(self) -> None:
            if is_asked.is_set():
                raise SyncCancelled

    httpserver.expect_request("/slow").respond_with_handler(answer)
    reporter = Stops()
    client = HttpClient(
        HttpApi("Acme", httpserver.url_for("").rstrip("/")),
        SourceContext({}, timeout_seconds=PATIENCE_SECONDS, reporter=reporter),
    )

    def read() -> Generator[int, None, None]:
        client.get("/slow")
        yield 1

    try:
        with pytest.raises(SyncCancelled):
            list(ahead(read, reporter=reporter))
        assert not may_answer.is_set()
    finally:
        may_answer.set()


def test_its_log_lines_belong_to_the_run() -> None:
    def read() -> Generator[int, None, None]:
        yield get_contextvars()["run"]

    with bound_contextvars(run=17):
        assert list(ahead(read)) == [17]
