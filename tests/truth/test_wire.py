"""Answers as the wire really brings them: compressed, cut off, in other encodings, with other headers.
What can be read is read; what cannot ends the run with an error of the right kind, and never as an
empty list, which would mark all rows as deleted."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import (
    PermanentError,
    SyncError,
    Throttled,
    TransientError,
)
from tests.truth.world import World, serve

COMPANY = {"id": "COM1", "name": "José", "status": "active"}
PAGE = {"page": 1, "per_page": 250, "total_pages": 1, "companies": [COMPANY]}
TEXT = json.dumps(PAGE, ensure_ascii=False)
JSON = "application/json"


def answer(content: bytes, content_type: str = JSON, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(content, status, named, content_type=content_type)


def begin(world: World, server: HTTPServer, handler: Any) -> None:
    world.use(
        "callrail",
        {
            "CALLRAIL_BASE_URL": serve(server, handler),
            "CALLRAIL_API_KEY": "k",
            "CALLRAIL_ACCOUNT_ID": "1",
            "CALLRAIL_REQUESTS_PER_HOUR": "100000",
            "CALLRAIL_REQUESTS_PER_DAY": "100000",
        },
    )


@pytest.mark.parametrize(
    "found",
    [
        answer(TEXT.encode()),
        answer(gzip.compress(TEXT.encode()), Content_Encoding="gzip"),
        answer(TEXT.encode(), "text/plain"),
        answer(b"\xef\xbb\xbf" + TEXT.encode()),
        answer(TEXT.encode("latin-1"), "application/json; charset=iso-8859-1"),
        answer(json.dumps(PAGE).encode()),
    ],
    ids=["plain", "gzip", "text/plain", "BOM", "latin-1", "escaped"],
)
def test_what_can_be_read_is_read(world: World, httpserver: HTTPServer, found: Response) -> None:
    begin(world, httpserver, lambda request: found)
    assert world.sync("companies").warning is None
    assert world.rows("companies", "id", "name") == [("COM1", "José")]


def cut(content: bytes, promised: int) -> Response:
    """Fewer bytes than the header says."""
    found = Response(content, content_type=JSON)
    found.automatically_set_content_length = False
    found.headers["Content-Length"] = str(promised)
    found.headers["Connection"] = "close"
    return found


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (answer(gzip.compress(TEXT.encode())[:-20], Content_Encoding="gzip"), TransientError),
        (cut(TEXT.encode()[:50], 5000), TransientError),
        (answer(TEXT.encode()[:50]), SyncError),
        (answer(b""), PermanentError),
        (answer(b"", status=204), PermanentError),
        (answer(b'{"error": "account suspended"}'), PermanentError),
        (answer(b'{"companies": null}'), PermanentError),
        (answer(b"<html>login</html>", "text/html"), SyncError),
        (answer(b"", status=302, Location="http://127.0.0.1:9/x"), PermanentError),
        (answer(b"", status=301, Location="/moved"), PermanentError),
    ],
    ids=[
        "gzip cut",
        "body cut",
        "JSON cut",
        "empty",
        "204",
        "error",
        "null list",
        "HTML",
        "other host",
        "moved",
    ],
)
def test_what_cannot_be_read_is_an_error_and_marks_nothing(
    world: World, httpserver: HTTPServer, found: Response, kind: type[SyncError]
) -> None:
    current = answer(TEXT.encode())
    begin(world, httpserver, lambda request: current)
    world.sync("companies")
    current = found
    with pytest.raises(kind):
        world.sync("companies")
    assert world.rows("companies", "id") == ["COM1"]


@pytest.mark.parametrize("asked", ["0.01", "-5", "nan", "soon", None])
def test_too_many_requests_are_tried_again_whatever_the_header_says(
    world: World, httpserver: HTTPServer, asked: str | None
) -> None:
    headers = {} if asked is None else {"Retry_After": asked}
    answers = iter([answer(b'{"error": "too many"}', status=429, **headers)])

    def found(request: Request) -> Response:
        return next(answers, answer(TEXT.encode()))

    begin(world, httpserver, found)
    world.sync("companies")
    assert world.rows("companies", "id") == ["COM1"]
    assert world.meter.throttled == 1


@pytest.mark.parametrize(
    "asked",
    ["86400", "inf", "1e308", "Fri, 31 Dec 2100 23:59:59 +9999", "Fri, 31 Dec 99999 23:59:59 GMT"],
)
def test_a_wait_beyond_every_run_ends_it_and_marks_nothing(
    world: World, httpserver: HTTPServer, asked: str
) -> None:
    current = answer(TEXT.encode())
    begin(world, httpserver, lambda request: current)
    world.sync("companies")
    current = answer(b'{"error": "too many"}', status=429, Retry_After=asked)
    with pytest.raises(Throttled):
        world.sync("companies")
    assert world.rows("companies", "id") == ["COM1"]


def test_not_a_number_is_no_value(world: World, httpserver: HTTPServer) -> None:
    begin(world, httpserver, lambda request: answer(TEXT.replace('"active"', "NaN").encode()))
    world.sync("companies")
    assert world.rows("companies", "id", "status") == [("COM1", None)]


def test_a_lone_surrogate_costs_no_record(world: World, httpserver: HTTPServer) -> None:
    broken = json.dumps(PAGE).replace("Jos\\u00e9", "Jos\\ud83d").encode()
    begin(world, httpserver, lambda request: answer(broken))
    world.sync("companies")
    assert world.rows("companies", "id") == ["COM1"]
