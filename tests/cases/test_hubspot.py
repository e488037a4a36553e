"""HubSpot. Reported of others: airbyte#60962 (dates beyond the calendar), supaglue-labs/supaglue#585
(more results of one moment than a search gives), docs.locoia.com (restored records)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import NotAllowed
from ingestion.sync.hubspot.api import HubspotApi
from tests.truth.sandboxed import verified
from tests.truth.world import World, serve

NEW_YEAR = "2026-01-01T00:00:00.000Z"
MOST_SEARCHED = 10_000
TOKEN = {
    "HUBSPOT_ACCESS_TOKEN": "pat",
    "HUBSPOT_REQUESTS_PER_10_SECONDS": "5000",
    "HUBSPOT_SEARCHES_PER_SECOND": "500",
}


def when(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


class Portal:
    """Contacts by id: the properties of each, whose kinds ``kinds`` names. ``archived``: when each
    was. ``before``: called with every request; what it gives is answered instead."""

    def __init__(self, world: World, server: HTTPServer, **kinds: str) -> None:
        self.kinds = {"hs_object_id": "number", "lastmodifieddate": "datetime", **kinds}
        self.contacts: dict[int, dict[str, str]] = {}
        self.archived: dict[int, str] = {}
        self.before: Any = lambda request: None
        world.use("hubspot", {"HUBSPOT_BASE_URL": serve(server, self.answer), **TOKEN})

    def put(self, number: int, modified: str, **properties: str) -> None:
        own = {"hs_object_id": str(number), "lastmodifieddate": modified}
        self.contacts[number] = {**own, **properties}

    def answer(self, request: Request) -> Any:
        if (other := self.before(request)) is not None:
            return other
        if request.path.endswith("/properties/contacts"):
            return {"results": [{"name": n, "type": kind} for n, kind in self.kinds.items()]}
        asked = json.loads(request.data or b"{}")
        if request.path.endswith("/search"):
            return self._found(asked)
        if request.path.endswith("/batch/read"):
            wanted = [int(one["id"]) for one in asked["inputs"]]
            return {"results": [self._view(n) for n in wanted if n in self._living()]}
        is_archived = request.args.get("archived") == "true"
        after, size = int(request.args.get("after", 0)), int(request.args["limit"])
        numbers = [
            n for n in (sorted(self.archived) if is_archived else self._living()) if n > after
        ]
        answer: dict[str, Any] = {"results": [self._view(n) for n in numbers[:size]]}
        if len(numbers) > size:
            answer["paging"] = {"next": {"after": str(numbers[size - 1])}}
        return answer

    def _living(self) -> list[int]:
        return sorted(set(self.contacts) - set(self.archived))

    def _found(self, asked: Any) -> Any:
        if "after" in asked:
            return Response(json.dumps({"message": "no offset here"}), 400)
        filters = [one for group in asked["filterGroups"] for one in group["filters"]]
        found = [n for n in self._living() if all(self._meets(n, f) for f in filters)]
        return {
            "total": len(found),
            "results": [self._view(n) for n in found[: int(asked["limit"])]],
        }

    def _meets(self, number: int, one: dict[str, str]) -> bool:
        values = self.contacts[number]
        of = {"lastmodifieddate": when(values["lastmodifieddate"]), "hs_object_id": number}
        tests = {"GT": int.__gt__, "GTE": int.__ge__, "LT": int.__lt__, "LTE": int.__le__}
        return tests[one["operator"]](of[one["propertyName"]], int(one["value"]))

    def _view(self, number: int) -> dict[str, Any]:
        values = self.contacts[number]
        dates = {"createdAt": NEW_YEAR, "updatedAt": values["lastmodifieddate"]}
        gone = {"archivedAt": self.archived[number]} if number in self.archived else {}
        is_gone = number in self.archived
        return {"id": str(number), "properties": values, "archived": is_gone, **dates, **gone}


def test_dates_in_milliseconds_are_read_and_those_beyond_the_calendar_are_kept(
    world: World, httpserver: HTTPServer
) -> None:
    portal = Portal(world, httpserver, d="date", dt="datetime")
    portal.put(1, NEW_YEAR, d="1706659200000", dt="1706659200000.0")
    portal.put(2, NEW_YEAR, d="253402300800000")
    portal.put(3, NEW_YEAR, d="2026-01-01")
    world.sync("contacts")
    day = date(2024, 1, 31)
    found = world.rows("contacts", "id", "d", "_misfits")
    kept = {"d": {"reason": "not_a_date", "value": "253402300800000"}}
    assert found == [("1", day, None), ("2", None, kept), ("3", date(2026, 1, 1), None)]
    moments = [at for _, at in world.rows("contacts", "id", "dt") if at]
    assert [at.replace(tzinfo=None) for at in moments] == [datetime(2024, 1, 31)]  # noqa: DTZ001


def test_more_of_one_moment_than_a_search_gives_are_all_read(
    world: World, httpserver: HTTPServer
) -> None:
    portal = Portal(world, httpserver)
    portal.put(1, "2026-02-28T23:00:00.000Z")
    world.sync("contacts")
    count = MOST_SEARCHED + 500
    for number in range(2, count + 1):
        portal.put(number, "2026-03-01T00:00:00.000Z")
    portal.put(count + 1, "2026-03-02T00:00:00.000Z")
    world.sync("contacts")
    assert len(set(world.rows("contacts", "id"))) == count + 1


def test_a_record_that_is_restored_with_an_old_time_is_noticed_and_comes_back(
    world: World, httpserver: HTTPServer
) -> None:
    portal = Portal(world, httpserver)
    portal.put(1, NEW_YEAR)
    portal.put(2, "2026-01-10T00:00:00.000Z")
    world.sync("contacts")
    portal.archived[1] = "2026-01-11T00:00:00.000Z"
    world.sync("contacts")
    assert world.rows("contacts", "id", "_deleted_proof", deleted=True) == [("1", "reported")]
    del portal.archived[1]
    portal.put(3, "2026-01-20T00:00:00.000Z")
    world.sync("contacts")
    assert not verified(world, "contacts").is_equal
    world.sync("contacts", mode="full")
    assert world.rows("contacts", "id") == ["1", "2", "3"]
    assert verified(world, "contacts").is_equal


@pytest.mark.parametrize("paging", [None, {"next": None}, {"next": {"after": None}}, {}])
def test_a_list_ends_however_it_says_so(world: World, httpserver: HTTPServer, paging: Any) -> None:
    def answer(request: Request) -> Any:
        owners = [{"id": "1", "email": "a@b", "updatedAt": NEW_YEAR}]
        return {
            "results": owners if request.args["archived"] == "false" else [],
            "paging": paging,
        }

    world.use("hubspot", {"HUBSPOT_BASE_URL": serve(httpserver, answer), **TOKEN})
    assert world.sync("owners", mode="full").warning is None
    assert world.rows("owners", "id") == ["1"]


def test_a_missing_scope_costs_its_own_model_alone(world: World, httpserver: HTTPServer) -> None:
    portal = Portal(world, httpserver)
    portal.put(1, NEW_YEAR)
    scopes = {"requiredGranularScopes": ["crm.objects.deals.read"]}
    refusal = {"category": "MISSING_SCOPES", "errors": [{"context": scopes}]}
    portal.before = lambda request: (
        None if "contacts" in request.path else Response(json.dumps(refusal), 403)
    )
    world.sync("contacts")
    assert world.rows("contacts", "id") == ["1"]
    with pytest.raises(NotAllowed, match=r"the scope crm\.objects\.deals\.read"):
        world.sync("deals")


def test_what_changes_while_a_full_run_reads_on_is_in_the_next_delta(
    world: World, httpserver: HTTPServer
) -> None:
    portal = Portal(world, httpserver, name="string")
    for number in range(1, 251):
        portal.put(number, NEW_YEAR, name="old")
    now = datetime.now(UTC)

    def change(request: Request) -> None:
        if "after" in request.args and portal.contacts[1]["name"] == "old":
            portal.put(1, now.isoformat(), name="new")
            portal.put(240, (now + timedelta(minutes=20)).isoformat(), name="of a fast clock")

    portal.before = change
    world.sync("contacts")
    world.sync("contacts")
    found = dict(world.rows("contacts", "id", "name"))
    assert (found["1"], found["240"], len(found)) == ("new", "of a fast clock", 250)


@pytest.mark.django_db
def test_archived_owners_that_no_page_gives_are_missed_by_verification(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Request) -> Any:
        is_archived = request.args["archived"] == "true"
        owner = {"id": "2" if is_archived else "1", "updatedAt": NEW_YEAR, "archived": is_archived}
        return {"results": [owner]}

    world.use("hubspot", {"HUBSPOT_BASE_URL": serve(httpserver, answer), **TOKEN})
    whole = HubspotApi.owners
    with monkeypatch.context() as broken:
        broken.setattr(HubspotApi, "owners", lambda self, *, archived: whole(self, archived=False))
        world.sync("owners")
        report = verified(world, "owners")
    assert (report.is_equal, report.unread) == (False, 1)
    assert report.examples == ["unread 2: it is reported as deleted, and no page has it"]
    world.sync("owners", mode="full")
    assert world.rows("owners", "id", deleted=True) == ["2"]
    report = verified(world, "owners")
    assert (report.is_equal, report.looked_up) == (True, 2)
