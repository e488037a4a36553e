"""The small comparison of the second reading: exact where it understands, silent where not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestion.sync.raw.parsing import json_of, xml_of
from ingestion.sync.raw.plain import UNKNOWN, Plain

CHICAGO = Plain(ZoneInfo("America/Chicago"))


@pytest.mark.parametrize(
    ("raw", "stored", "kind"),
    [
        ("Zoë", "Zoë", "text"),
        ("a\x00b", "ab", "text"),
        ("", None, "text"),
        (True, "true", "text"),
        (Decimal("1.50"), "1.5", "text"),
        (7, "7", "bigint"),
        ("$1,234.50", "1234.5", "decimal"),
        ("(1,234.50)", "-1234.50", "decimal"),
        ("-$5", "-5", "decimal"),
        ("12,34,567", "1234567", "decimal"),
        (Decimal("1234567890123.456789"), "1234567890123.456789", "decimal"),
        ("0.1", "0.1", "double"),
        ("", None, "decimal"),
        ("yes", "1", "bool"),
        (False, "false", "bool"),
        ("2026-01-09T16:40:02.5Z", "2026-01-09 16:40:02.500000", "timestamp"),
        ("2026-01-09 16:40:02", "2026-01-09 22:40:02+00", "timestamp"),
        ("2026-01-09T16:40:02-05:00", "2026-01-09 21:40:02+00", "timestamp"),
        ("/Date(1767970800000)/", "2026-01-09 21:00:00+00", "timestamp"),
        (1767970800123, "2026-01-09 15:00:00.123000", "timestamp"),
        ("2026-01-09 16:40:02", "2026-01-09 16:40:02", "datetime"),
        ("2026-01-09", "2026-01-09", "date"),
        ("8:15", "08:15:00.000000", "time"),
        ({"b": [1, Decimal("2.0")], "a": None}, '{"a": null, "b": [1.0, 2]}', "json"),
        ("68690a", "\\x68690a", "binary"),
    ],
)
def test_what_means_the_same_is_the_same(raw: Any, stored: str | None, kind: str) -> None:
    assert CHICAGO.same(raw, stored, kind) is True


@pytest.mark.parametrize(
    ("raw", "stored", "kind"),
    [
        ("Zoë", "ZoÃ«", "text"),
        ("00123", "123", "text"),
        ("x", None, "text"),
        (None, "x", "text"),
        (Decimal("1234.56"), "1235", "decimal"),
        ("(1,234.50)", "1234.50", "decimal"),
        (Decimal("1234567890123.456789"), "1234567890123.456780", "decimal"),
        (12345678901234567, "12345678901234568", "bigint"),
        ("12.50", None, "decimal"),
        ("2026-01-09 16:40:02", "2026-01-09 16:40:02+00", "timestamp"),
        ("2026-01-09", "2026-01-08", "date"),
        ("no", "true", "bool"),
        ({"a": True}, '{"a": 1}', "json"),
        ([1, 2], "[2, 1]", "json"),
    ],
)
def test_what_differs_is_different(raw: Any, stored: str | None, kind: str) -> None:
    assert CHICAGO.same(raw, stored, kind) is False


@pytest.mark.parametrize(
    ("raw", "stored", "kind"),
    [
        ("12,50", "1250", "decimal"),
        ("1.234,56 €", "1.23456", "decimal"),
        ("12.5%", "0.125", "decimal"),
        ("4-Mar", "46085", "decimal"),
        ("--7", "7", "decimal"),
        ("(-7)", "7", "decimal"),
        ("3/4/2026", "2026-03-04", "date"),
        ("0000-00-00", None, "date"),
        ("2026-13-41", "2026-01-01", "date"),
        (UNKNOWN, "1", "decimal"),
        ("maybe", "1", "bool"),
    ],
)
def test_what_is_not_understood_is_no_difference(raw: Any, stored: str | None, kind: str) -> None:
    assert CHICAGO.same(raw, stored, kind) is None


def test_a_misfit_is_the_text_that_was_sent() -> None:
    assert CHICAGO.same_misfit("n/a", "n/a", "decimal") is True
    assert CHICAGO.same_misfit(12, 12, "text") is True


@pytest.mark.parametrize(
    ("raw", "kind", "verdict"),
    [
        ("$1,234.50", "decimal", False),
        ("12", "bigint", False),
        ("2026-01-05 10:00:00", "timestamp", False),
        ("3.5", "bigint", True),
        ("1e40", "decimal", True),
        ("1 234,50", "decimal", True),
        ("2026-13-05 10:00:00", "timestamp", True),
        ("12", "json", True),
        ({"a": [1]}, "json", False),
        (" true ", "bool", False),
        ("maybe", "bool", True),
        ("7", "double", False),
        ("$7", "double", True),
        ("9007199254740993", "double", True),
        ("2026-01-05", "date", False),
        ("2026-01-05 10:00:00", "date", True),
        ("x", "text", False),
        ("08:15", "time", True),
    ],
)
def test_what_would_have_fitted_has_no_place_among_misfits(
    raw: Any, kind: str, verdict: bool
) -> None:
    assert CHICAGO.same_misfit(raw, raw, kind) is verdict


def test_json_keeps_every_digit_and_half_a_surrogate_pair() -> None:
    told = b'\xef\xbb\xbf{"n": 1234567890123.456789, "t": "\xed\xa0\x80", "x": NaN}'
    assert json_of(told) == {"n": Decimal("1234567890123.456789"), "t": "\ud800", "x": None}
    assert json_of("ë".encode("latin-1"), "application/json; charset=latin-1") is None
    assert json_of('"ë"'.encode("latin-1"), "application/json; charset=latin-1") == "ë"
    assert json_of(b"<html>") is None


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("<a>ë</a>".encode(), "text/xml; charset=utf-8"),
        ('<?xml version="1.0" encoding="iso-8859-1"?><a>ë</a>'.encode("latin-1"), "text/xml"),
        ('<?xml version="1.0" encoding="iso-8859-1"?><a>ë</a>'.encode(), "text/xml; charset=utf-8"),
        ("<a>ë</a>".encode("cp1252"), "text/xml"),
        ("<a>\x1fë&#x1F;</a>".encode(), "text/xml"),
        ("<a>ë</a>".encode("utf-16"), "text/xml"),
    ],
)
def test_xml_is_read_by_what_it_says(content: bytes, content_type: str) -> None:
    root = xml_of(content, content_type)
    assert root is not None
    assert root.text == "ë"


def test_no_entity_of_a_document_is_followed() -> None:
    declared = b'<!DOCTYPE a [<!ENTITY e "secret"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    root = xml_of(declared + b"<a>&e;&f;</a>")
    assert root is not None
    assert "".join(root.itertext(tag="a")) == ""
