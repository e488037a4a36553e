"""Values out of the ordinary: dates that no calendar holds, amounts in other notations, objects in
other shapes. What can be read is read; what cannot is kept beside its column, and costs no row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from sandbox.serving.server import SandboxServer
from tests.truth.test_athena import Lake
from tests.truth.test_athena import begin as begin_lake
from tests.truth.world import World, serve


@pytest.fixture
def five9(world: World, tmp_path: Path) -> Iterator[Any]:
    with SandboxServer(tmp_path / "sandbox", names=("five9",), rows=10, port=0) as server:
        sandbox: Any = server.sandboxes.by_name["five9"]
        sandbox.domain.contacts.clear()
        world.use("five9", {**server.settings, "FIVE9_TIME_ZONE": "America/Los_Angeles"})
        yield sandbox


LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
MOMENTS = {
    "2026-01-09 16:40:02.000": datetime(2026, 1, 10, 0, 40, 2, tzinfo=UTC),
    "2026-01-09 16:40:02.000 GMT0": datetime(2026, 1, 9, 16, 40, 2, tzinfo=UTC),
    "2026-01-09T16:40:02Z": datetime(2026, 1, 9, 16, 40, 2, tzinfo=UTC),
    "2026-11-01 01:30:00.000": datetime(2026, 11, 1, 8, 30, tzinfo=UTC),
    "2026-13-01 00:00:00.000": None,
    "9999-12-31 23:59:59.000": LAST,  # "for ever": in UTC there is no such moment, so it stays as told
    "Fri Jan 09 16:40:02 PST 2026": None,
}
AMOUNTS = {
    "$12,400.50": Decimal("12400.50"),
    "(1,234.50)": Decimal("-1234.50"),
    "-$5": Decimal(-5),
    "USD 5-": None,
    "1.5.2": None,
}


def test_dates_of_five9_that_cannot_be_read_cost_no_contact(world: World, five9: Any) -> None:
    for text in MOMENTS:
        five9.domain.add({"number1": "6155550101", "first_name": text, "sys_created_date": text})
    world.sync("contacts")
    found = dict(world.rows("contacts", "first_name", "sys_created_date"))
    assert {text: at and at.replace(tzinfo=UTC) for text, at in found.items()} == MOMENTS
    kept = {text for text, misfits in world.rows("contacts", "first_name", "_misfits") if misfits}
    assert kept == {text for text, at in MOMENTS.items() if at is None}


def test_amounts_of_five9_that_cannot_be_read_cost_no_contact(world: World, five9: Any) -> None:
    for text in AMOUNTS:
        five9.domain.add({"number1": "6155550101", "first_name": text, "Deal Value": text})
    world.sync("contacts")
    assert dict(world.rows("contacts", "first_name", "deal_value")) == AMOUNTS
    kept = {text for text, misfits in world.rows("contacts", "first_name", "_misfits") if misfits}
    assert kept == {text for text, amount in AMOUNTS.items() if amount is None}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_last_and_the_first_day_of_the_calendar_cost_no_row(
    world: World, httpserver: HTTPServer, zone: str
) -> None:
    at = "2026-01-01 10:00:00"
    rows = [["c1", "a", "9999-12-31 23:59:59", at], ["c2", "b", "0001-01-01 00:00:00", at]]
    begin_lake(world, httpserver, Lake([*rows]), SALESPRO_TIME_ZONE=zone)
    world.sync("customers")
    assert world.rows("customers", "customer_id", "company_id") == [("c1", "a"), ("c2", "b")]


SHAPES: tuple[Any, ...] = ({}, [], "", "{}", '{"a":1}', {"a": {"b": [1]}}, ["x"], "5", "{bad", None)


def test_custom_fields_in_any_shape_cost_no_lead(world: World, httpserver: HTTPServer) -> None:
    leads = [
        {"id": i, "dateModified": "2026-01-01T00:00:00+00:00", "customFields": shape}
        for i, shape in enumerate([*SHAPES, '{"iccid": 89014103211118510720}'])
    ]
    body = {"data": leads, "meta": {"morePages": False}}
    settings = {"SALESRABBIT_API_TOKEN": "t", "SALESRABBIT_REQUESTS_PER_MINUTE": "60000"}
    url = serve(httpserver, lambda request: body)
    world.use("salesrabbit", {"SALESRABBIT_BASE_URL": url, **settings})
    world.sync("leads")
    assert sorted(world.rows("leads", "id")) == list(range(len(leads)))
    assert "89014103211118510720" in str(world.rows("leads", "custom_fields"))
