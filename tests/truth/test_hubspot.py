"""HubSpot: merges, which no list tells; epoch milliseconds beyond the calendar. Reported of others:
airbyte#60962 (OverflowError), cleanupcrm.com and HubSpot's changelog (a merge makes a new id)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.hubspot.values import without_milliseconds
from tests.truth.world import World, serve

NEW_YEAR = "2026-01-01T00:00:00.000Z"
NAMES = ("hs_object_id", "lastmodifieddate", "hs_merged_object_ids")


class Contacts:
    """``living``: by id, when changed and what was merged into it."""

    def __init__(self, living: dict[str, tuple[str, str | None]]) -> None:
        self.living = living

    def answer(self, request: Request) -> Any:
        if request.path.endswith("/properties/contacts"):
            kinds = zip(NAMES, ("number", "datetime", "string"), strict=True)
            return {"results": [{"name": name, "type": kind} for name, kind in kinds]}
        if request.path.endswith("/search"):
            filters = json.loads(request.data)["filterGroups"][0]["filters"]
            after = next(int(f["value"]) for f in filters if f["operator"] == "GT")
            found = [self.found(i) for i in self.living if int(i) > after]
            return {"total": len(found), "results": found}
        is_archived = request.args.get("archived") == "true"
        return {"results": [] if is_archived else [self.found(i) for i in self.living]}

    def found(self, record_id: str) -> dict[str, Any]:
        changed, merged = self.living[record_id]
        values = dict(zip(NAMES, (record_id, changed, merged), strict=True))
        dates = {"createdAt": NEW_YEAR, "updatedAt": changed}
        return {"id": record_id, "properties": values, "archived": False, **dates}


@pytest.mark.parametrize("merged", ["2", "2;1"])
def test_the_losers_of_a_merge_are_closed_by_the_next_delta(
    world: World, httpserver: HTTPServer, merged: str
) -> None:
    """An old merge keeps one of the ids, a new one makes a third."""
    contacts = Contacts({"1": (NEW_YEAR, None), "2": (NEW_YEAR, None), "4": (NEW_YEAR, None)})
    url = serve(httpserver, contacts.answer)
    world.use("hubspot", {"HUBSPOT_BASE_URL": url, "HUBSPOT_ACCESS_TOKEN": "pat"})
    world.sync("contacts")
    winner = "3" if ";" in merged else "1"
    contacts.living = {winner: ("2026-02-01T00:00:00.000Z", merged), "4": (NEW_YEAR, None)}
    world.sync("contacts")
    assert world.rows("contacts", "id") == [winner, "4"]
    lost = sorted({"1", "2"} - {winner})
    assert world.rows("contacts", "id", "_deleted_proof", deleted=True) == [
        (i, "merged_into") for i in lost
    ]


def test_a_token_that_expires_between_two_pages_loses_nobody(
    world: World, httpserver: HTTPServer
) -> None:
    contacts = Contacts({str(i): (NEW_YEAR, None) for i in range(1, 4)})
    is_expired = [True]

    def answer(request: Request) -> Any:
        found = contacts.answer(request)
        is_list = request.path.endswith("/objects/contacts")
        if not is_list or request.args.get("archived") == "true" or not found["results"]:
            return found
        if "after" not in request.args:
            return {"results": found["results"][:1], "paging": {"next": {"after": "1"}}}
        if is_expired[0]:
            return Response(json.dumps({"category": "EXPIRED_AUTHENTICATION"}), 401)
        return {"results": found["results"][1:]}

    url = serve(httpserver, answer)
    world.use("hubspot", {"HUBSPOT_BASE_URL": url, "HUBSPOT_ACCESS_TOKEN": "pat"})
    with pytest.raises(CredentialsError):
        world.sync("contacts")
    assert world.rows("contacts", "id", deleted=None) == []
    is_expired[0] = False
    assert world.sync("contacts").warning is None
    assert world.rows("contacts", "id") == ["1", "2", "3"]


def test_ids_of_associations_beyond_what_a_float_holds_stay_whole(
    world: World, httpserver: HTTPServer
) -> None:
    """bruin-data/ingestr#1178: 9007199254740993 became ...992."""
    contacts = Contacts({"1": (NEW_YEAR, None)})
    big = 9_007_199_254_740_993

    def answer(request: Request) -> Any:
        if request.path.endswith("/contacts/companies/batch/read"):
            kinds = [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]
            to = [{"toObjectId": big, "associationTypes": kinds}]
            return {"results": [{"from": {"id": "1"}, "to": to}]}
        is_other = "/contacts" not in request.path or "/batch/read" in request.path
        return {"results": []} if is_other else contacts.answer(request)

    url = serve(httpserver, answer)
    world.use("hubspot", {"HUBSPOT_BASE_URL": url, "HUBSPOT_ACCESS_TOKEN": "pat"})
    world.sync("associations")
    assert world.rows("associations", "from_id", "to_id", "type_id") == [("1", str(big), 279)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1706659200000", "2024-01-31"),
        ("1706659200000.0", "2024-01-31"),
        ("253402300800000", "253402300800000"),
    ],
)
def test_milliseconds_beyond_the_calendar_stay_as_they_are(text: str, found: str) -> None:
    assert without_milliseconds(text) == found
