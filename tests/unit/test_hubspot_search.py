"""HubSpot's sandbox searches as the documentation says that HubSpot does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.crms.hubspot import search
from tests.unit.hubspot_account import AT, Caller, where


@pytest.mark.parametrize(
    ("given", "test"),
    [
        (where("quantity", "LT", "5"), lambda p: p and float(p) < 5),
        (where("quantity", "LTE", "5"), lambda p: p and float(p) <= 5),
        (where("quantity", "GT", "20"), lambda p: p and float(p) > 20),
        (where("quantity", "GTE", "20"), lambda p: p and float(p) >= 20),
        (where("quantity", "EQ", "7.0"), lambda p: p and float(p) == 7),
        (where("quantity", "NEQ", "7"), lambda p: p and float(p) != 7),
        (where("quantity", "BETWEEN", "5", highValue="9"), lambda p: p and 5 <= float(p) <= 9),
        (where("quantity", "IN", ["3", "4"]), lambda p: p in ("3", "4")),
        (where("quantity", "NOT_IN", ["3", "4"]), lambda p: p and p not in ("3", "4")),
    ],
)
def test_a_filter_of_numbers(hubspot: Caller, given, test):
    items = hubspot.sandbox._portal.items["line_items"].values()
    expected = {str(i.id) for i in items if test(i.properties["quantity"])}

    answer = hubspot.search("line_items", given, limit=200).json

    assert answer["total"] == len(expected) > 0
    assert {found["id"] for found in answer["results"]} <= expected


def test_filters_of_presence_and_of_words(hubspot: Caller):
    has = hubspot.search("contacts", where("city", "HAS_PROPERTY")).json["total"]
    has_not = hubspot.search("contacts", where("city", "NOT_HAS_PROPERTY")).json["total"]
    salt = hubspot.found("contacts", where("city", "CONTAINS_TOKEN", "salt"), properties=["city"])

    assert has + has_not == hubspot.sandbox.counts()["contacts"]
    assert {found["properties"]["city"] for found in salt} == {"Salt Lake City"}


def test_values_of_strings_are_compared_in_lower_case(hubspot: Caller):
    assert hubspot.found("contacts", where("city", "IN", ["denver"]))
    assert not hubspot.found("contacts", where("city", "IN", ["Denver"]))
    assert hubspot.found("contacts", where("city", "EQ", "Denver"))


@pytest.mark.parametrize("value", ["1772366400000", "2026-03-01T12:00:00Z"])
def test_times_are_filtered_by_milliseconds_or_iso(hubspot: Caller, value):
    hubspot.sandbox.tick(AT)

    found = hubspot.found("deals", where("hs_lastmodifieddate", "GTE", value))

    assert found
    assert {f["updatedAt"] for f in found} == {"2026-03-01T12:00:00.000Z"}


def test_groups_are_alternatives_and_their_filters_all_hold(hubspot: Caller):
    low, high = where("quantity", "LT", "3"), where("quantity", "GT", "38")
    either = {"filterGroups": [{"filters": [low]}, {"filters": [high]}]}

    totals = [hubspot.search("line_items", one).json["total"] for one in (low, high)]

    assert hubspot.search("line_items", **either).json["total"] == sum(totals)
    assert hubspot.search("line_items", low, high).json["total"] == 0


def test_a_search_is_sorted_by_its_one_rule(hubspot: Caller):
    rule = {"propertyName": "amount", "direction": "DESCENDING"}

    found = hubspot.found("deals", sorts=[rule], properties=["amount"])

    amounts = [f["properties"]["amount"] for f in found]
    having = [float(a) for a in amounts if a is not None]
    assert having == sorted(having, reverse=True)
    assert None not in amounts[: len(having)]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"limit": 200, "after": "9900"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [where("city", "HAS_PROPERTY")] * 7}]},
        {"filterGroups": [{"filters": [where("city", "HAS_PROPERTY")] * 5}] * 4},
        {"filterGroups": [{"filters": [where("city", "LIKE", "x")]}]},
        {"filterGroups": [{"filters": [where("no_such_property", "EQ", "x")]}]},
        {"filterGroups": [{"filters": [where("lead_score", "GT", "many")]}]},
        {"sorts": ["city", "zip"]},
        {"query": "x" * 3001},
    ],
)
def test_a_search_beyond_its_limits_is_refused(hubspot: Caller, body):
    answer = hubspot.search("contacts", **body)

    assert answer.status_code == 400
    assert answer.json["category"] == "VALIDATION_ERROR"


def test_a_search_ends_at_its_cap_although_there_is_more(hubspot: Caller, monkeypatch):
    monkeypatch.setattr(search, "MAX_RESULTS", 100)

    page = hubspot.search("contacts", limit=50, after="50").json

    assert page["total"] > 100
    assert page["paging"]["next"]["after"] == "100"
    assert hubspot.search("contacts", limit=50, after="100").status_code == 400


def test_a_search_lags_behind_where_it_is_told_to(hubspot: Caller):
    hubspot.sandbox.search_lag = timedelta(days=1)
    contact = min(hubspot.sandbox._portal.items["contacts"])
    hubspot.sandbox._portal.change("contacts", contact, datetime.now(UTC))

    assert not hubspot.found("contacts", where("hs_object_id", "EQ", str(contact)))
