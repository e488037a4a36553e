"""How lists are walked, page by page, against a real server on this machine."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Meter, SourceContext
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.pagination import CursorPages, LinkedPages, NumberedPages


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def client(httpserver: HTTPServer, meter: Meter) -> HttpClient:
    return HttpClient(
        HttpApi("Acme", httpserver.url_for("").rstrip("/")), SourceContext({}, meter=meter)
    )


def test_pages_follow_the_cursor(httpserver, client):
    httpserver.expect_request("/things", query_string={"limit": "1"}).respond_with_json(
        {"results": [{"id": 1}], "paging": {"next": {"after": "a"}}}
    )
    httpserver.expect_request(
        "/things", query_string={"limit": "1", "after": "a"}
    ).respond_with_json({"results": [{"id": 2}]})
    paginator = CursorPages("paging.next.after", param="after")

    pages = client.paginate("/things", paginator, records="results", params={"limit": 1})

    assert list(pages) == [[{"id": 1}], [{"id": 2}]]


def test_a_page_that_comes_for_ever_is_permanent(httpserver, client, meter):
    httpserver.expect_request("/things").respond_with_json([{"id": 1}, {"id": 2}])
    paginator = NumberedPages()

    with pytest.raises(PermanentError, match="same page again"):
        list(client.paginate("/things", paginator, records=None))
    assert meter.requests == 2


def test_the_credentials_never_follow_a_link_to_another_host(httpserver, client):
    httpserver.expect_request("/things").respond_with_json(
        {"results": [{"id": 1}], "next": "http://elsewhere.invalid/things"}
    )

    with pytest.raises(PermanentError, match="another host"):
        list(client.paginate("/things", LinkedPages("next"), records="results"))
