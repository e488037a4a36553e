"""What XML 1.0 does not allow is taken out of a document; everything else stays."""

from __future__ import annotations

import json

import pytest

from ingestion.sync.gsheet.cells import headers_of
from ingestion.sync.http.json_text import parse_json
from ingestion.sync.http.xml_text import allowed_xml, parse_xml


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (b"<a>b&#x1B;c</a>", b"<a>bc</a>"),
        (b"<a>&#0;&#27;&#xD83D;&#xFFFE;</a>", b"<a></a>"),
        (b"<a>\x1b\x00x</a>", b"<a>x</a>"),
        (b"<a>&#9;&#10;&#xA0;&#x1F600;\t\n&amp;</a>", b"<a>&#9;&#10;&#xA0;&#x1F600;\t\n&amp;</a>"),
    ],
)
def test_forbidden_characters_are_taken_out(told: bytes, left: bytes) -> None:
    assert allowed_xml(told) == left


NAME = "José Müller Ñandú"


@pytest.mark.parametrize("charset", [None, "utf-8", "iso-8859-1", "nonsense"])
@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "utf-16", None])
def test_a_text_is_read_as_it_was_written(declared: str | None, charset: str | None) -> None:
    said = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    content = f"{said}<a>{NAME}</a>".encode(declared or "utf-8")
    assert parse_xml(content, charset).text == NAME


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"\xef\xbb\xbf" + f"<a>{NAME}</a>".encode(), "iso-8859-1"),
        (f'<?xml version="1.0" encoding="iso-8859-1"?><a>{NAME}</a>'.encode(), "utf-8"),
        (f'<?xml version="1.0" encoding="utf-8"?><a>{NAME}</a>'.encode("cp1252"), None),
        (f"<a>{NAME}</a>".encode("latin-1"), "iso-8859-1"),
    ],
    ids=["mark", "proxy", "wrong declaration", "header alone"],
)
def test_what_is_said_of_the_encoding_may_be_wrong(content: bytes, charset: str | None) -> None:
    assert parse_xml(content, charset).text == NAME


def test_an_entity_is_not_followed() -> None:
    document = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>'
    assert not parse_xml(document).text


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-8-sig"])
def test_json_is_read_in_the_charset_that_the_answer_names(encoding: str) -> None:
    assert parse_json(json.dumps([NAME], ensure_ascii=False).encode(encoding), encoding) == [NAME]


def test_headers_named_like_what_a_load_adds_are_renamed() -> None:
    assert headers_of(["row_key", "_deleted_at", "a", "row_key"]) == [
        "row_key 2",
        "_deleted_at 2",
        "a",
        "row_key 3",
    ]
