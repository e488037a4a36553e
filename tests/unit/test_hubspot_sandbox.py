"""HubSpot's sandbox answers as the documentation says that HubSpot does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.crms.hubspot.catalog import DEFAULTS, PROPERTIES
from sandbox.web import RequestRate
from tests.unit.hubspot_account import AT, OBJECTS, Caller, opened


def test_the_same_seed_and_ticks_give_the_same_data(tmp_path):
    one, other = opened(tmp_path, seed=5), opened(tmp_path, seed=5)

    assert one.tick(AT) == other.tick(AT)
    assert one._portal.items == other._portal.items
    assert one._portal.links == other._portal.links
    assert one._portal.owners == other._portal.owners
    assert opened(tmp_path, seed=6)._portal.items != opened(tmp_path, seed=5)._portal.items


def test_a_tick_does_what_it_counts(tmp_path):
    sandbox = opened(tmp_path)
    before = {kind: dict(items) for kind, items in sandbox._portal.items.items()}
    links, owners = sandbox.counts()["associations"], len(sandbox._portal.owners)

    done = sandbox.tick(AT)

    after = sandbox._portal.items
    created = sum(len(after[k].keys() - before[k].keys()) for k in after)
    deleted = sum(len(before[k].keys() - after[k].keys()) for k in after)
    changed = sum(i.updated == AT for k in after for i in after[k].values()) - created
    new_links = sandbox.counts()["associations"] - links
    assert len(sandbox._portal.owners) == owners + 1
    assert done["updated"] == changed + 1  # an owner
    # Of owners one is new and one is deactivated; the rest are associations made and ended.
    assert (done["created"] - created - 1) - (done["deleted"] - deleted - 1) == new_links


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_small_account_can_be_changed_too(tmp_path, rows):
    sandbox = opened(tmp_path, rows=rows)
    for hour in range(5):
        sandbox.tick(AT + timedelta(hours=hour))
    assert sandbox.counts()["contacts"] >= 1


@pytest.mark.parametrize("token", [None, "wrong", "pat"])
def test_a_wrong_token_is_refused(hubspot: Caller, token):
    answer = hubspot.get(f"{OBJECTS}/contacts", token=token)

    assert answer.status_code == 401
    assert answer.json["category"] == "INVALID_AUTHENTICATION"
    assert answer.json["status"] == "error"


def test_every_property_value_is_a_string_or_null(hubspot: Caller):
    for kind, props in PROPERTIES.items():
        names = ",".join(p.name for p in props)
        for found in hubspot.get(f"{OBJECTS}/{kind}", limit=100, properties=names).json["results"]:
            assert set(found["properties"]) == {p.name for p in props}
            assert all(v is None or isinstance(v, str) for v in found["properties"].values())


def test_without_properties_the_default_set_comes(hubspot: Caller):
    found = hubspot.get(f"{OBJECTS}/deals").json["results"][0]["properties"]

    assert set(found) == set(DEFAULTS["deals"])


def test_unknown_properties_are_ignored(hubspot: Caller):
    answer = hubspot.get(f"{OBJECTS}/deals", properties="amount,no_such_property")

    assert "no_such_property" not in answer.json["results"][0]["properties"]
    assert "amount" in answer.json["results"][0]["properties"]


def test_a_list_has_ten_rows_unless_asked(hubspot: Caller):
    assert len(hubspot.get(f"{OBJECTS}/contacts").json["results"]) == 10


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_a_list_limit_beyond_the_cap_is_refused(hubspot: Caller, limit):
    assert hubspot.get(f"{OBJECTS}/contacts", limit=limit).status_code == 400


def test_a_list_is_paged_by_after_and_says_nothing_at_its_end(hubspot: Caller):
    ids, after = [], "0"
    while after:
        page = hubspot.get(f"{OBJECTS}/contacts", limit=100, after=after).json
        ids += [int(found["id"]) for found in page["results"]]
        after = page["paging"]["next"]["after"] if "paging" in page else None

    assert ids == sorted(set(ids))
    assert len(ids) == hubspot.sandbox.counts()["contacts"]


def test_archived_records_sandbox_a_list_of_their_own(hubspot: Caller):
    archived = hubspot.get(f"{OBJECTS}/contacts", archived="true", limit=100).json["results"]

    assert archived
    assert all(found["archived"] and found["archivedAt"] for found in archived)
    living = {found["id"] for found in hubspot.found("contacts")}
    assert not living & {found["id"] for found in archived}


def test_the_number_of_a_type_works_as_its_name(hubspot: Caller):
    assert hubspot.get(f"{OBJECTS}/0-3").json == hubspot.get(f"{OBJECTS}/deals").json
    assert hubspot.get(f"{OBJECTS}/unicorns").status_code == 400


def test_a_url_that_is_too_long_is_refused(hubspot: Caller):
    assert hubspot.get(f"{OBJECTS}/contacts", properties="x" * 17_000).status_code == 414


def test_rate_headers_come_with_everything_but_a_search(tmp_path):
    caller = Caller(opened(tmp_path))

    listed, searched = caller.get(f"{OBJECTS}/contacts"), caller.search("contacts")

    assert listed.headers["X-HubSpot-RateLimit-Max"] == "190"
    assert listed.headers["X-HubSpot-RateLimit-Remaining"] == "189"
    assert listed.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert not [name for name, _ in searched.headers if name.lower().startswith("x-hubspot")]


@pytest.mark.parametrize(
    ("rate", "policy"),
    [("burst", "TEN_SECONDLY_ROLLING"), ("search", "SECONDLY"), ("daily", "DAILY")],
)
@pytest.mark.parametrize("retry_after_seconds", [None, 1500])
def test_too_many_requests_name_their_policy(hubspot: Caller, rate, policy, retry_after_seconds):
    hubspot.sandbox.retry_after_seconds = retry_after_seconds
    setattr(hubspot.sandbox, rate, RequestRate(1, 3600))
    assert hubspot.search("contacts").status_code == 200

    answer = hubspot.search("contacts")

    assert answer.status_code == 429
    assert answer.json["policyName"] == policy
    assert answer.json["errorType"] == "RATE_LIMIT"
    assert answer.headers.get("Retry-After") == (retry_after_seconds and str(retry_after_seconds))


def test_the_metadata_names_kinds_and_options(hubspot: Caller):
    found = {p["name"]: p for p in hubspot.get("/crm/v3/properties/contacts").json["results"]}

    assert found["lead_score"]["type"] == "number"
    assert found["move_in_date"]["type"] == "date"
    assert [o["value"] for o in found["interests"]["options"]] == [
        "roof",
        "windows",
        "siding",
        "solar",
    ]


def test_deactivated_owners_come_only_when_asked_for(hubspot: Caller):
    active = hubspot.get("/crm/v3/owners").json["results"]
    archived = hubspot.get("/crm/v3/owners", archived="true").json["results"]

    assert not any(owner["archived"] for owner in active)
    assert all(owner["archived"] and "userId" not in owner for owner in archived)
    assert archived
    assert len(hubspot.get("/crm/v3/owners", limit=2).json["results"]) == 2


def test_a_batch_read_gives_what_there_is_and_tells_what_is_not(hubspot: Caller):
    ids = [found["id"] for found in hubspot.found("deals")[:3]]
    body = {"properties": ["amount"], "inputs": [{"id": i} for i in (*ids, "1")]}

    answer = hubspot.post(f"{OBJECTS}/deals/batch/read", body)

    assert answer.status_code == 207
    assert [found["id"] for found in answer.json["results"]] == ids
    assert answer.json["numErrors"] == 1
    too_many = {"inputs": [{"id": "1"}] * 101}
    assert hubspot.post(f"{OBJECTS}/deals/batch/read", too_many).status_code == 400


@pytest.mark.parametrize(("missing", "status"), [("error", 207), ("absent", 200)])
def test_records_without_associations_are_missing(hubspot: Caller, missing, status):
    hubspot.sandbox.missing = missing
    portal = hubspot.sandbox._portal
    lonely = next(
        i for i in portal.items["contacts"] if not portal.linked(("contacts", i), "deals")
    )

    answer = hubspot.post(
        "/crm/v4/associations/contacts/deals/batch/read", {"inputs": [{"id": str(lonely)}]}
    )

    assert (answer.status_code, answer.json["results"]) == (status, [])


def test_the_associations_of_one_record_are_paged(hubspot: Caller):
    hubspot.sandbox.association_page = 1
    portal = hubspot.sandbox._portal
    links = portal.links["deals", "line_items"]
    deal = next(i for i, others in links.items() if len(others) > 1)
    path = "/crm/v4/associations/deals/line_items/batch/read"

    first = hubspot.post(path, {"inputs": [{"id": str(deal)}]}).json["results"][0]
    after = first["paging"]["next"]["after"]
    second = hubspot.post(path, {"inputs": [{"id": str(deal), "after": after}]}).json["results"][0]

    found = [first["to"][0]["toObjectId"], second["to"][0]["toObjectId"]]
    assert found == sorted(links[deal])[:2]
    assert all(isinstance(i, int) for i in found)


def test_more_than_a_thousand_inputs_are_refused(hubspot: Caller):
    inputs = [{"id": str(i)} for i in range(1001)]

    answer = hubspot.post("/crm/v4/associations/contacts/deals/batch/read", {"inputs": inputs})

    assert answer.status_code == 400


def test_associations_of_one_record_can_be_listed(hubspot: Caller):
    contact = next(iter(hubspot.sandbox._portal.links["contacts", "companies"]))

    answer = hubspot.get(f"/crm/v4/objects/contacts/{contact}/associations/companies").json

    assert {t["label"] for t in answer["results"][0]["associationTypes"]} == {None, "Primary"}


def test_an_archived_record_has_no_associations_on_either_side(hubspot: Caller):
    portal = hubspot.sandbox._portal
    contact, others = next((c, o) for c, o in portal.links["contacts", "companies"].items() if o)
    company = next(iter(others))

    portal.archive("contacts", contact, AT)

    assert not portal.linked(("contacts", contact), "companies")
    assert contact not in portal.linked(("companies", company), "contacts")


def test_a_missing_scope_is_named(hubspot: Caller):
    hubspot.sandbox.denied = {"line_items"}

    answer = hubspot.get(f"{OBJECTS}/line_items")

    assert answer.status_code == 403
    assert answer.json["category"] == "MISSING_SCOPES"
    assert "crm.objects.line_items.read" in answer.text
