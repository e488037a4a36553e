"""MarketSharp: Atom in every encoding, whatever the Content-Type says; a next link that is relative;
control characters."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.http.xml_text import parse_xml
from ingestion.sync.marketsharp import odata
from tests.truth.sandboxed import verified
from tests.truth.world import World, serve

NAME = "José Müller Ñandú"
FEED = (
    '<feed xmlns="http://www.w3.org/2005/Atom"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    ' xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices">{links}<entry>'
    '<content type="application/xml"><m:properties><d:id m:type="Edm.Int32">{id}</d:id>'
    "<d:lastName>{name}</d:lastName>"
    '<d:lastUpdate m:type="Edm.DateTime">2026-01-01T10:00:00</d:lastUpdate>'
    "</m:properties></content></entry></feed>"
)


def feed(encoding: str = "utf-8", *, name: str = NAME, links: str = "", number: int = 1) -> bytes:
    said = f'<?xml version="1.0" encoding="{encoding}" standalone="yes"?>'
    return (said + FEED.format(name=name, links=links, id=number)).encode(encoding)


def begin(world: World, server: HTTPServer, handler: Any) -> str:
    url = serve(server, handler)
    world.use(
        "marketsharp",
        {
            "MARKETSHARP_BASE_URL": f"{url}/WcfDataService.svc",
            "MARKETSHARP_COMPANY_ID": "1",
            "MARKETSHARP_USER_KEY": "u",
            "MARKETSHARP_SECRET_KEY": base64.b64encode(b"s" * 16).decode(),
            "MARKETSHARP_REQUESTS_PER_MINUTE": "60000",
        },
    )
    return url


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/atom+xml;type=feed;charset=utf-8", feed()),
        ("application/atom+xml", feed()),
        ("text/xml", feed()),
        ("text/plain", feed()),
        ("application/json", feed()),
        ("application/xml", feed("iso-8859-1")),
        ("application/xml; charset=iso-8859-1", feed("iso-8859-1")),
        ("application/xml", b"\xef\xbb\xbf" + feed()),
        ("application/xml", feed("utf-16")),
        ("text/xml", feed(name=NAME.replace("é", "é&#x1B;"))),
        ("text/xml", feed(name=NAME.replace("é", "é\x0b"))),
    ],
)
def test_a_name_is_what_was_sent(
    world: World, httpserver: HTTPServer, content_type: str, content: bytes
) -> None:
    begin(world, httpserver, lambda request: Response(content, content_type=content_type))
    world.sync("contacts")
    assert world.rows("contacts", "last_name") == [NAME]
    report = verified(world, "contacts")
    assert (report.is_equal, report.sent) == (True, 1)


def test_an_encoding_that_is_read_wrongly_is_found_by_verification(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_latin_1(content: bytes, charset: str | None = None) -> Any:
        return parse_xml(content.decode("latin-1").encode(), "utf-8")

    monkeypatch.setattr(odata, "parse_xml", as_latin_1)
    begin(world, httpserver, lambda request: Response(feed(), content_type="text/xml"))
    world.sync("contacts")
    report = verified(world, "contacts")
    assert (report.different, report.wrong_values) == (0, 1)
    wrong = NAME.encode().decode("latin-1")
    assert report.examples == [f"wrong value in 1: last_name holds {wrong}, the CRM sent {NAME}"]


@pytest.mark.parametrize("form", ["json", "atom", "atom with a base"])
def test_a_relative_link_to_the_next_page_is_followed(
    world: World, httpserver: HTTPServer, form: str
) -> None:
    def answer(request: Request) -> Any:
        assert request.path == "/WcfDataService.svc/Contacts"
        is_second = "$skiptoken" in request.args
        if form == "json":
            row = {"id": 2 if is_second else 1, "lastName": NAME}
            more = {} if is_second else {"__next": "Contacts?$skiptoken=1"}
            return {"d": {"results": [row], **more}}
        links = "" if is_second else '<link rel="next" href="Contacts?$skiptoken=1"/>'
        content = feed(links=links, number=2 if is_second else 1)
        if form.endswith("base"):
            content = content.replace(
                b"<feed ", f'<feed xml:base="{url}/WcfDataService.svc/" '.encode()
            )
        return Response(content, content_type="application/atom+xml")

    url = begin(world, httpserver, answer)
    world.sync("contacts")
    assert world.rows("contacts", "id", "last_name") == [("1", NAME), ("2", NAME)]


def test_a_row_without_a_time_of_change_is_in_every_delta(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [
        {"id": 1, "lastName": "Lee", "lastUpdate": "2026-01-01T10:00:00"},
        {"id": 2, "lastName": "Roe", "lastUpdate": None},
    ]

    def answer(request: Request) -> Any:
        condition = request.args.get("$filter", "lastUpdate eq null or lastUpdate ge datetime'2'")
        takes_null, since = "lastUpdate eq null" in condition, condition.split("'")[1]
        found = [r for r in rows if (r["lastUpdate"] or "") >= since or not r["lastUpdate"]]
        return {"d": [r for r in found if r["lastUpdate"] or takes_null]}

    begin(world, httpserver, answer)
    world.sync("contacts")
    rows[1]["lastName"] = "Poe"
    rows.append({"id": 3, "lastName": "Kim", "lastUpdate": None})
    world.sync("contacts")
    assert world.rows("contacts", "id", "last_name") == [("1", "Lee"), ("2", "Poe"), ("3", "Kim")]


def test_a_link_to_another_host_is_not_followed(world: World, httpserver: HTTPServer) -> None:
    page = {"d": {"results": [{"id": 1}], "__next": "http://127.0.0.1:9/steal"}}
    begin(world, httpserver, lambda request: page)
    with pytest.raises(PermanentError, match="another host"):
        world.sync("contacts")
