"""What clients made by others ask of the sandbox, as ``make clients`` showed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from werkzeug.test import Client

from sandbox.base import SandboxConf
from sandbox.crms.gsheet import Range
from sandbox.crms.hubspot import HubspotSandbox
from sandbox.crms.hubspot.api import TOKEN
from sandbox.crms.marketsharp.metadata import metadata_of
from tests.clients.__main__ import difference

HUBSPOT = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def hubspot(tmp_path: Path) -> Client:
    return Client(HubspotSandbox(SandboxConf(tmp_path, rows=24)).relax().wsgi())


def test_owners_answer_with_and_without_a_slash(hubspot: Client) -> None:
    both = [
        hubspot.get(path, headers=HUBSPOT).json for path in ("/crm/v3/owners", "/crm/v3/owners/")
    ]
    assert both[0] == both[1]
    owner = both[0]["results"][0]
    assert hubspot.get(f"/crm/v3/owners/{owner['id']}", headers=HUBSPOT).json == owner


def test_properties_are_named_between_commas_or_one_by_one(hubspot: Client) -> None:
    path = "/crm/v3/objects/contacts?limit=5"
    answers = [
        hubspot.get(f"{path}&{names}", headers=HUBSPOT).json
        for names in ("properties=email,firstname", "properties=email&properties=firstname")
    ]
    assert answers[0] == answers[1]
    assert {"email", "firstname"} <= answers[0]["results"][0]["properties"].keys()


def test_associations_come_beside_the_objects(hubspot: Client) -> None:
    path = "/crm/v3/objects/contacts"
    found = hubspot.get(f"{path}?limit=50&associations=companies", headers=HUBSPOT).json["results"]
    linked = [contact for contact in found if "associations" in contact]
    assert linked
    for contact in linked:
        parts = contact["associations"]["companies"]["results"]
        assert {part["type"] for part in parts} == {"contact_to_company"}
        newer = f"/crm/v4/objects/contacts/{contact['id']}/associations/companies"
        others = hubspot.get(newer, headers=HUBSPOT).json["results"]
        assert [part["id"] for part in parts] == [str(one["toObjectId"]) for one in others]
        one = hubspot.get(f"{path}/{contact['id']}?associations=companies", headers=HUBSPOT).json
        assert one["associations"] == contact["associations"]


SHEET = [["a", "b", "c"], ["1", "", "3"], [], ["", "y"]]


@pytest.mark.parametrize(
    ("place", "cells"),
    [
        ("Leads", [["a", "b", "c"], ["1", "", "3"], [], ["", "y"]]),
        ("'Leads'", [["a", "b", "c"], ["1", "", "3"], [], ["", "y"]]),
        ("'Leads'!2:4", [["1", "", "3"], [], ["", "y"]]),
        ("Leads!3:9", [[], ["", "y"]]),
        ("Leads!B1:C2", [["b", "c"], ["", "3"]]),
        ("Leads!B:B", [["b"], [], [], ["y"]]),
        ("Leads!A2:A", [["1"]]),
        ("Leads!C2", [["3"]]),
        ("Leads!AA1:AB2", []),
    ],
)
def test_a_range_has_the_cells_that_its_notation_names(place: str, cells: Any) -> None:
    found = Range.of(place)
    assert found is not None
    assert found.tab == "Leads"
    assert found.cells(SHEET) == cells


def test_a_tab_may_have_a_quote_in_its_name() -> None:
    assert Range.of("'Pat''s leads!'!A1") == Range("Pat's leads!", 1, 1, 1, 1)


@pytest.mark.parametrize("place", ["Leads!", "Leads!:", "Leads!1:B:2", "'Leads", ""])
def test_what_is_no_range_is_none(place: str) -> None:
    assert Range.of(place) is None


def test_the_description_of_a_service_has_a_type_for_each_set() -> None:
    row = {"id": "1", "at": "/Date(0)/", "count": None, "is_it": True}
    found = etree.fromstring(metadata_of({"Things": [row, {**row, "count": 3}]}).encode())
    properties = {p.get("Name"): p.get("Type") for p in found.iter("{*}Property")}
    assert properties == {
        "id": "Edm.String",
        "at": "Edm.DateTime",
        "count": "Edm.Int32",
        "is_it": "Edm.Boolean",
    }
    assert [k.get("Name") for k in found.iter("{*}PropertyRef")] == ["id"]
    assert [s.get("EntityType") for s in found.iter("{*}EntitySet")] == ["MarketSharp.Things"]


def test_a_difference_is_named_with_its_record() -> None:
    assert difference({"1": {"a": "x"}}, {"1": {"a": "x"}}) == "equal"
    assert difference({"1": {"a": "x"}}, {"1": {"a": "y"}}) == "1: a is 'y', not 'x'"
    assert difference({"1": {}}, {}) == "1 is None, not {}"
    assert difference(None, {}) == "is not expected"
