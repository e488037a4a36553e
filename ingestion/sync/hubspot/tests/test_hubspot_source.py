"""HubSpot's source against its sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    PermanentError,
    QuotaExceeded,
    TransientError,
)
from ingestion.sync.common.source import Window
from ingestion.sync.hubspot import api
from ingestion.sync.hubspot.settings import CRM, PAIRS, SEARCH_LAG_SECONDS
from ingestion.sync.hubspot.tests.conftest import TICK_AT, Account
from sandbox.crms.hubspot import search
from sandbox.crms.hubspot.catalog import LINKS, PROPERTIES
from sandbox.web import RequestRate

OBJECTS = tuple(PROPERTIES)
SINCE_TICK = Window(since=TICK_AT - timedelta(seconds=SEARCH_LAG_SECONDS))


def living(records):
    return [r for r in records if not r.get("_deleted_at")]


@pytest.mark.parametrize("name", [*OBJECTS, "owners"])
def test_a_full_read_gives_every_record_once(account: Account, name):
    records = account.records(name)

    assert len(living(records)) == account.sandbox.counts()[name]
    assert len({r["id"] for r in records}) == len(records)


@pytest.mark.parametrize("name", ["contacts", "owners"])
def test_a_full_read_tells_what_is_archived(account: Account, name):
    gone = [r for r in account.records(name) if r["archived"]]

    assert gone
    assert all(r["_deleted_at"].tzinfo for r in gone)


def test_all_properties_are_asked_for_and_landed(account: Account):
    source = account.source()
    columns = source.columns(CRM.model("contacts"))
    contact = account.records("contacts")[0]

    assert {p.name for p in PROPERTIES["contacts"]} < set(columns)
    assert set(contact) == set(columns)
    assert columns["lead_score"] == "decimal"
    assert columns["move_in_date"] == "date"
    assert columns["lastmodifieddate"] == "timestamp"
    assert columns["is_homeowner"] == "bool"
    assert columns["interests"] == "text"
    assert columns["id"] == "text"


def test_properties_beyond_the_length_of_a_url_are_merged_by_id(open_account):
    account = open_account(rows=120, custom_properties=600)

    contacts = living(account.records("contacts"))

    portal = account.sandbox._portal
    assert len(contacts) == account.sandbox.counts()["contacts"]
    for contact in contacts:
        stored = portal.items["contacts"][int(contact["id"])].properties
        assert {n: contact[n] for n in stored} == stored
    assert "POST /crm/v3/objects/contacts/batch/read" in account.requests


@pytest.mark.parametrize("name", OBJECTS)
def test_a_delta_reads_only_what_changed_since(account: Account, name):
    before = {r["id"]: r for r in account.records(name)}
    account.sandbox.tick(TICK_AT)
    after = {r["id"]: r for r in account.records(name)}

    found = {r["id"]: r for r in account.records(name, SINCE_TICK)}

    changed = {i: r for i, r in after.items() if before.get(i) != r}
    assert changed
    assert found == changed


def test_a_window_with_an_end_reads_only_what_lies_within(account: Account):
    account.sandbox.tick(TICK_AT)
    account.sandbox.tick(TICK_AT + timedelta(days=1))

    found = account.records("deals", Window(since=TICK_AT, until=TICK_AT + timedelta(hours=1)))

    assert found
    assert {r["updated_at"] for r in found} == {"2026-03-01T12:00:00.000Z"}


def test_a_search_of_more_than_its_cap_reads_all(account: Account, monkeypatch):
    monkeypatch.setattr(search, "MAX_RESULTS", 40)
    monkeypatch.setattr(api, "SEARCH_LIMIT", 20)
    epoch = Window(since=datetime(1970, 1, 2, tzinfo=UTC))
    pages = account.source().pages(CRM.model("contacts"), epoch, batch_size=20)

    ids = [r["id"] for page in pages for r in page.records if not r["archived"]]

    assert len(ids) == len(set(ids)) == account.sandbox.counts()["contacts"] > 40
    assert ids == sorted(ids, key=int)


def test_a_change_between_two_pages_of_a_search_hides_no_record(account: Account):
    epoch = Window(since=datetime(1970, 1, 2, tzinfo=UTC))
    portal = account.sandbox._portal
    expected = set(portal.items["contacts"])
    pages = account.source().pages(CRM.model("contacts"), epoch, batch_size=50)

    read = [int(r["id"]) for r in next(pages).records]
    portal.archive("contacts", read[0], TICK_AT)  # everything behind it moves up by one
    read += [int(r["id"]) for page in pages for r in page.records if not r["archived"]]

    assert set(read) == expected


def test_the_batch_size_is_kept_within_the_caps(account: Account):
    source = account.source()

    small = next(source.pages(CRM.model("deals"), Window(), batch_size=7))
    capped = next(source.pages(CRM.model("deals"), Window(), batch_size=5000))

    assert len(small.records) == 7
    assert len(capped.records) == api.LIST_LIMIT


def test_no_single_model_loads_associations(account: Account):
    for name in (*OBJECTS, "owners"):
        account.records(name)

    assert not [path for path in account.requests if "associations" in path]
    assert CRM.models[-1].name == "associations"


@pytest.mark.parametrize("missing", ["error", "absent"])
@pytest.mark.parametrize("page", [1, 500])
def test_a_full_read_gives_every_association_once(account: Account, missing, page):
    account.sandbox.missing = missing
    account.sandbox.association_page = page

    records = account.records("associations")

    keys = {tuple(r[name] for name in CRM.model("associations").key) for r in records}
    assert len(keys) == len(records) == account.sandbox.counts()["associations"]
    assert all(isinstance(r["to_id"], str) for r in records)
    assert {"Primary", "Decision maker", None} == {r["label"] for r in records}


def test_the_pairs_are_those_that_the_sandbox_counts():
    assert {(pair.from_type, pair.to_type) for pair in PAIRS} == set(LINKS)


def test_the_scopes_of_a_delta_prove_every_association_that_vanished(account: Account):
    key = CRM.model("associations").key
    held = {tuple(r[n] for n in key): r for r in account.records("associations")}
    account.sandbox.tick(TICK_AT)
    now = {tuple(r[n] for n in key): r for r in account.records("associations")}

    pages = account.pages("associations", SINCE_TICK)

    for page in pages:
        held |= {tuple(r[n] for n in key): r for r in page.records}
    seen = {tuple(r[n] for n in key) for page in pages for r in page.records}
    vanished = {
        k
        for page in pages
        for k, r in held.items()
        if k not in seen and tuple(r[c] for c in page.scope.columns) in page.scope.owners
    }
    assert vanished
    assert {k: r for k, r in held.items() if k not in vanished} == now


def test_a_delta_of_associations_reads_those_of_changed_records_only(account: Account):
    account.sandbox.tick(TICK_AT)

    owners = {o for page in account.pages("associations", SINCE_TICK) for o in page.scope.owners}

    assert 0 < len(owners) < account.sandbox.counts()["contacts"]


def test_too_many_requests_are_obeyed_and_counted(account: Account, monkeypatch):
    monkeypatch.setattr(api, "ONE_SECOND", 0.21)
    account.sandbox.search = RequestRate(1, 0.2)
    account.sandbox.tick(TICK_AT)
    source = account.source(HUBSPOT_SEARCHES_PER_SECOND="1000")

    pages = source.pages(CRM.model("deals"), SINCE_TICK, batch_size=2)
    records = [r for page in pages for r in page.records]

    assert records
    assert account.meter.throttled > 0


def test_the_rates_are_kept_ahead_of_time(account: Account):
    reserved: list[tuple[str, int]] = []

    class Recording:
        def reserve(self, rate):
            reserved.append((rate.name, rate.requests))
            return 0

    account.limiter = Recording()
    account.records(
        "deals",
        SINCE_TICK,
        HUBSPOT_REQUESTS_PER_10_SECONDS="150",
        HUBSPOT_SEARCHES_PER_SECOND="4",
    )

    assert set(reserved) == {("hubspot:burst", 150), ("hubspot:search", 4)}


def test_a_used_up_daily_limit_is_not_asked_again(account: Account, time_machine_at):
    account.sandbox.daily = RequestRate(1, 86_400)
    account.sandbox.daily.admits()

    with pytest.raises(QuotaExceeded, match="daily limit") as caught:
        account.records("deals", HUBSPOT_TIME_ZONE="America/Denver")

    assert caught.value.resets_at == datetime(2026, 3, 2, 7, tzinfo=UTC)
    assert account.meter.requests == 1


@pytest.fixture
def time_machine_at(time_machine):
    time_machine.move_to(datetime(2026, 3, 1, 20, tzinfo=UTC), tick=True)


def test_a_missing_scope_is_named(account: Account):
    account.sandbox.denied = {"tickets"}

    with pytest.raises(NotAllowed, match=r"HUBSPOT_ACCESS_TOKEN the scope tickets"):
        account.records("tickets")


def test_a_wrong_token_is_refused_without_being_quoted(account: Account):
    with pytest.raises(CredentialsError, match="HUBSPOT_ACCESS_TOKEN") as caught:
        account.records("contacts", HUBSPOT_ACCESS_TOKEN="pat-wrong-one")

    assert "pat-wrong-one" not in str(caught.value)
    assert account.meter.requests == 1


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_the_version_stands_in_one_setting(account: Account, version):
    for name in ("deals", "owners", "associations"):
        assert account.records(name, HUBSPOT_API_VERSION=version) == account.records(name)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HUBSPOT_SEARCHES_PER_SECOND", "0"),
        ("HUBSPOT_REQUESTS_PER_10_SECONDS", "many"),
        ("HUBSPOT_TIME_ZONE", "Mars/Olympus"),
    ],
)
def test_a_wrong_setting_is_named(account: Account, setting, value):
    with pytest.raises(PermanentError, match=setting):
        account.source(**{setting: value})


def test_an_answer_of_another_shape_is_a_permanent_error(account: Account, httpserver):
    account.url = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/crm/v3/properties/deals").respond_with_json({"results": [{}]})

    with pytest.raises(PermanentError, match="HubSpot deals: an answer has not the documented"):
        account.records("deals")


@pytest.mark.parametrize("status", [423, 477, 502, 522])
def test_a_passing_failure_is_transient(account: Account, httpserver, status, monkeypatch):
    account.url = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/crm/v3/properties/deals").respond_with_data("", status=status)
    source = account.source()
    monkeypatch.setattr(source._api._http, "pause", lambda seconds: None)

    with pytest.raises(TransientError, match=str(status)):
        source.columns(CRM.model("deals"))


@pytest.mark.parametrize(
    ("status", "policy", "headers", "seconds"),
    [
        (429, "TEN_SECONDLY_ROLLING", {}, 10),
        (429, "TEN_SECONDLY_ROLLING", {"Retry-After": "4"}, 10),
        (429, "TEN_SECONDLY_ROLLING", {"Retry-After": "20"}, 20),
        (429, "TEN_SECONDLY_ROLLING", {"Retry-After": "10000"}, 300),
        (429, "SECONDLY", {}, 1),
        (429, "", {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}, 10),
        (423, "", {}, 2),
        (423, "", {"Retry-After": "5"}, 5),
    ],
)
def test_a_wait_is_never_shorter_than_asked_for_or_than_the_window_of_the_limit(
    account: Account, httpserver, status, policy, headers, seconds, monkeypatch
):
    account.url = httpserver.url_for("").rstrip("/")
    body = json.dumps({"policyName": policy})
    httpserver.expect_request("/crm/v3/properties/deals").respond_with_data(
        body, status=status, headers=headers
    )
    source = account.source()
    pauses: list[float] = []
    monkeypatch.setattr(source._api._http, "pause", pauses.append)

    with pytest.raises(TransientError):
        source.columns(CRM.model("deals"))

    assert {pause for pause in pauses if pause} == {seconds}


def test_a_lock_that_lasts_for_a_day_ends_the_run(account: Account, httpserver):
    account.url = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/crm/v3/properties/deals").respond_with_data(
        "", status=477, headers={"Retry-After": "86400"}
    )

    with pytest.raises(TransientError) as failed:
        account.source().columns(CRM.model("deals"))

    assert failed.value.retry_after_seconds == 86_400


def test_a_search_of_an_empty_account_ends(open_account: Callable[..., Account]):
    account = open_account(rows=1)

    assert account.records("tickets", SINCE_TICK) == []
