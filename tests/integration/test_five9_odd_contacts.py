"""Five9 domains out of the ordinary, loaded by the command into both warehouses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.crms.five9 import domain, service, wire
from sandbox.serving.server import SandboxServer
from tests.command_world import CommandWorld, counts_of

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 1, 5, 16, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path / "sandbox", names=("five9",), rows=0, port=0) as made:
        yield made


@pytest.fixture
def world(server: SandboxServer, warehouse_settings: Any) -> CommandWorld:
    made = CommandWorld("five9", warehouse_settings)
    made.configure(server.settings)
    return made


def test_a_control_character_costs_no_contact(
    server: SandboxServer, world: CommandWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-zeep#951: XML does not allow what Five9 sends; it is taken out."""
    contacts: Any = server.sandboxes.by_name["five9"]
    contacts.domain.add({"number1": "6155550001", "first_name": "ok"}, AT)
    contacts.domain.add({"number1": "6155550002", "first_name": "bad"}, AT)
    envelope = wire._envelope

    def with_escape(*parts: Any, **named: Any) -> Any:
        response = envelope(*parts, **named)
        response.set_data(response.get_data().replace(b">bad<", b">so&#x1B; it is<"))
        return response

    monkeypatch.setattr(wire, "_envelope", with_escape)
    assert counts_of(world.sync("contacts")) == {"processed": 2, "created": 2}
    rows = world.rows("contacts").values()
    assert {row["number1"]: row["first_name"] for row in rows} == {
        "6155550001": "ok",
        "6155550002": "so it is",
    }
    assert counts_of(world.sync("contacts")) == {"processed": 2}


def test_a_field_named_like_an_older_one_leaves_its_column_alone(
    server: SandboxServer, world: CommandWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts: Any = server.sandboxes.by_name["five9"]
    old, new = "HubSpot_ContactID", "HubSpot ContactID"
    contacts.domain.add({"number1": "6155550001", old: "H-1"}, AT)
    contacts.domain.add({"number1": "6155550002", old: "H-2"}, AT)
    world.sync("contacts")
    fields = (domain.Field(new), *domain.FIELDS)
    monkeypatch.setattr(domain, "FIELDS", fields)
    monkeypatch.setattr(service, "FIELDS", fields)
    for contact, value in zip(contacts.domain.contacts.values(), ("SCORE-1", None), strict=True):
        contact.values = {new: value, **contact.values}
    contacts.domain.add({"number1": "6155550003", old: "H-3", new: "SCORE-3"}, AT)
    result = counts_of(world.sync("contacts"))
    assert (result["created"], result["updated"]) == (1, 1)
    rows = world.rows("contacts").values()
    assert {
        row["number1"]: (row["hub_spot_contact_id"], row["hub_spot_contact_id_75ffb8"])
        for row in rows
    } == {
        "6155550001": ("H-1", "SCORE-1"),
        "6155550002": ("H-2", None),
        "6155550003": ("H-3", "SCORE-3"),
    }
