"""Values are replaced where they stand; every other byte of an answer stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sync.recording.walking import Decoded, Kind, replaced, values_of

ODD = [
    '{"a": [ {"b" :\t"c"}, 1.50, -2e3, true, null, NaN ] }\n',
    '{"a": "\\u00d8 \\ud83d\\ude00 \\ud83d \\/ \\n \\q", "b": "broken off',
    '\ufeff[{"a": 1}',
    "{'no': json}",
    '<?xml version="1.0"?><a x="1"><b>c &amp; &#216; &#x1F;</b><!-- d --><![CDATA[e]]><f/></a>',
    "<a><b>broken < off",
    "<html><body onload='x'>Bad gateway</body></html>",
    "no structure at all",
    "",
]


def same(_names: tuple[str, ...], value: str, _kind: Kind, _position: int) -> str:
    return value


def louder(_names: tuple[str, ...], value: str, _kind: Kind, _position: int) -> str:
    return value.upper()


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_replaced_stays_as_it_is(text: str) -> None:
    assert replaced(text, same) == text


@given(st.text())
def test_no_text_is_changed_by_walking_through_it(text: str) -> None:
    assert replaced(text, same) == text
    assert replaced("{" + text, same) == "{" + text
    assert replaced("<" + text, same) == "<" + text


def test_values_have_the_names_above_them_and_their_position() -> None:
    assert list(values_of('{"a": {"b": ["x", true, 2]}, "c": "y"}')) == [
        (("a", "b", "b"), "x", "text", 0),
        (("a", "b", "b"), "2", "number", 2),
        (("c",), "y", "text", 0),
    ]
    assert list(values_of('[{"d": ["w"], "e": [{"v": "x"}, {}, {"v": "y"}]}, {"f": "z"}]')) == [
        (("d", "d"), "w", "text", 0),
        (("e", "e", "v"), "x", "text", 0),
        (("e", "e", "v"), "y", "text", 2),
        (("f",), "z", "text", 1),
    ]
    assert list(values_of('<s:a><b k="v">x</b><b/><b>y</b><c>z</c></s:a><a><b>w</b></a>')) == [
        (("a", "b", "k"), "v", "text", 0),
        (("a", "b"), "x", "text", 0),
        (("a", "b"), "y", "text", 2),
        (("a", "c"), "z", "text", 0),
        (("a", "b"), "w", "text", 0),
    ]


def test_a_letter_is_written_as_the_one_before_was() -> None:
    assert replaced('{"a": "\\u00f8b\\"c"}', louder) == '{"a": "\\u00d8B\\"C"}'
    assert replaced("<a>&#248;b&amp;c</a>", louder) == "<a>&#216;B&amp;C</a>"


def test_a_name_that_is_somebodys_address_is_a_value() -> None:
    assert (
        replaced('{"ada@example.com": 1, "email": 2}', louder)
        == '{"ADA@EXAMPLE.COM": 1, "email": 2}'
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("é".encode("latin-1"), "text/plain; charset=latin-1"),
        ("é".encode("latin-1"), "application/json"),
        ('\ufeff{"a": "é"}'.encode("utf-16"), ""),
        (b"\xef\xbb\xbf{}", "application/json; charset=utf-8"),
        ('<?xml version="1.0" encoding="windows-1252"?><a>\x80</a>'.encode("latin-1"), ""),
        (b"\xff\x00\xd8", "text/plain; charset=nonsense"),
    ],
)
def test_the_same_bytes_come_out(content: bytes, kind: str) -> None:
    found = Decoded.of(content, kind)
    assert found.bytes_of(found.text) == content
