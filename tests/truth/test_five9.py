"""Five9: a domain with more contacts than a lookup gives. All are reached, whatever their numbers and
names begin with, or the run says what it could not prove, and marks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.run import ModelResult
from sandbox.crms.five9.service import Five9Sandbox
from sandbox.serving.server import SandboxServer
from tests.truth.world import World

LIMIT = 50
ODD_NUMBERS = (
    "(615) 999-0001",
    "(615) 999-0002x",
    " 6155550107",
    "6155550108 ",
    "+44 20 7946 0018",
    "*67",
    "#31#6155550109",
    "ext. 12",
    "abc",
    "（615）9990003",
)
ODD_NAMES = (
    "Øster",
    "ødegård",
    "Żak",
    "李",
    "王小明",
    "o'Neil",
    "O'NEIL",
    " Blank",
    "4x4",
    "-",
    "?",
)


class Domain:
    """A domain of the sandbox whose lookups give ``limit`` contacts at most."""

    def __init__(self, world: World, server: SandboxServer, limit: int = LIMIT) -> None:
        sandbox: Any = server.sandboxes.by_name["five9"]
        assert isinstance(sandbox, Five9Sandbox)
        self.sandbox, self.world = sandbox, world
        self.sandbox.domain.contacts.clear()
        self.sandbox.behavior.record_limit = limit
        world.use("five9", {**server.settings, "FIVE9_RECORD_LIMIT": str(limit)})

    def add(self, number: str | None, **values: str) -> str:
        return self.sandbox.domain.add({"number1": number, **values}).id

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add(f"615{number:07d}", last_name=f"Lee {number}")

    def sync(self) -> ModelResult:
        return self.world.sync("contacts")

    def missing(self) -> set[str]:
        """Living contacts that the warehouse does not show."""
        return set(self.sandbox.domain.contacts) - set(self.world.rows("contacts", "contact_key"))

    def marked(self) -> list[Any]:
        return self.world.rows("contacts", "contact_key", deleted=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path / "sandbox", names=("five9",), rows=10, port=0) as running:
        yield running


@pytest.fixture
def domain(world: World, server: SandboxServer) -> Domain:
    return Domain(world, server)


def test_every_contact_is_reached_whatever_it_begins_with(domain: Domain) -> None:
    domain.fill(60)
    for number in ODD_NUMBERS:
        domain.add(number)
    for name in ODD_NAMES:
        domain.add(None, last_name=name)
    assert domain.sync().warning is None
    assert domain.missing() == set()


def test_a_domain_that_passes_the_limit_loses_nobody(world: World, server: SandboxServer) -> None:
    domain = Domain(world, server, limit=200)
    domain.fill(180)
    for number in ("(615) 999-0001", "(615) 999-0002", "6%5", "%", "61_0000001", "_1", " 615"):
        domain.add(number, first_name="odd")
    for name in ("Øster", "Żak", "李"):
        domain.add(None, last_name=name)
    assert domain.sync().warning is None
    assert len(world.rows("contacts", "contact_key")) == 190
    for number in range(60):
        domain.add(f"617{number:07d}")
    result = domain.sync()
    assert domain.missing() == set()
    assert domain.marked() == []
    assert "% or _ stands in them" in (result.warning or "")


@pytest.mark.parametrize("takes_empty", [True, False], ids=["finds nothing", "refuses"])
def test_contacts_without_a_number_that_cannot_be_looked_up_are_said_to_be_missing(
    domain: Domain, takes_empty: bool
) -> None:
    domain.sandbox.behavior.finds_empty = False
    domain.sandbox.behavior.takes_empty = takes_empty
    domain.fill(20)
    for name in ODD_NAMES:
        domain.add(None, last_name=name)
    domain.sync()
    domain.fill(60)
    result = domain.sync()
    assert "cannot look up contacts without number1 or number2 or number3" in (result.warning or "")
    assert domain.marked() == []
    assert domain.missing() == set()


def test_a_second_division_that_a_domain_does_not_know_is_said_to_be_missing(
    domain: Domain,
) -> None:
    domain.sandbox.behavior.wildcard_may_begin = False
    domain.fill(60)
    assert "nothing proves that their first ones find all" in (domain.sync().warning or "")
    assert domain.missing() == set()


def test_who_goes_from_a_divided_domain_is_marked(domain: Domain) -> None:
    domain.fill(60)
    gone = domain.add("(615) 999-0001")
    domain.sync()
    del domain.sandbox.domain.contacts[gone]
    assert domain.sync().warning is None
    assert domain.marked() == [gone]
    assert domain.missing() == set()
