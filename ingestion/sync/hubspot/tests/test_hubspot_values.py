"""Properties, which HubSpot sends as strings, as records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Window
from ingestion.sync.hubspot.api import PROPERTIES_URL_LENGTH, split_names
from ingestion.sync.hubspot.objects import Span
from ingestion.sync.hubspot.values import Property, columns_of, record_of, without_milliseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-09-11T13:27:39.356Z", "2024-09-11T13:27:39.356Z"),
        ("2024-09-11", "2024-09-11"),
        ("1579514400000", "2020-01-20T10:00:00+00:00"),
        ("1579478400000", "2020-01-20"),
        ("-1579478400000", "1919-12-14"),
        ("20240911", "20240911"),
        ("soon", "soon"),
    ],
)
def test_epoch_milliseconds_become_iso(text, expected):
    assert without_milliseconds(text) == expected


def test_a_property_named_like_an_envelope_field_gets_a_column_of_its_own():
    properties = [Property("id", "string"), Property("archived", "bool")]

    record = record_of({"id": 7, "properties": {"id": "x", "archived": "true"}}, properties)

    assert (record["id"], record["property_id"]) == ("7", "x")
    assert (record["archived"], record["property_archived"]) == (False, "true")
    assert columns_of(properties)["property_archived"] == "bool"


def test_a_kind_that_is_not_known_stays_text():
    assert Property("place", "object_coordinates").data_type == "text"


def test_an_archived_object_tells_when():
    found = {"id": "1", "archived": True, "archivedAt": "2026-01-02T03:04:05.678Z"}

    assert record_of(found, [])["_deleted_at"] == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_names_are_split_where_the_url_is_full():
    names = [f"property_number_{n:05d}" for n in range(2000)]

    in_url, rest = split_names(names)

    assert in_url + rest == names
    assert PROPERTIES_URL_LENGTH - 100 < len("%2C".join(in_url)) <= PROPERTIES_URL_LENGTH
    assert split_names(names[:3]) == (names[:3], [])


def test_times_are_searched_as_epoch_milliseconds():
    at = datetime(2020, 1, 20, 10, 0, 0, 999, tzinfo=UTC)

    (since, until) = Span.of(Window(since=at, until=at)).filters("lastmodifieddate")

    assert since == {
        "propertyName": "lastmodifieddate",
        "operator": "GTE",
        "value": "1579514400000",
    }
    assert until["operator"] == "LTE"


@pytest.mark.parametrize("since", ["2020-01-20T10:00:00Z", "2020-01-20T10:00:00"])
def test_a_watermark_in_text_is_read(since):
    assert Span.of(Window(since=since)).since == datetime(2020, 1, 20, 10, tzinfo=UTC)


def test_a_watermark_that_is_no_time_is_refused():
    with pytest.raises(PermanentError, match="--full"):
        Span.of(Window(since="latest"))
