"""Leap, Arrivy, CallRail, LeadConduit and SalesRabbit: lists that answer out of the ordinary."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import PermanentError
from tests.truth.lists import CALLRAIL, LEAP, RABBIT
from tests.truth.sandboxed import verified
from tests.truth.test_arrivy import NOW, Schedule
from tests.truth.test_leadconduit import DAY, event
from tests.truth.world import World, serve

CUSTOMER = {"id": 1, "first_name": "Ada"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [CUSTOMER]},
        {"data": None},
        {"data": [CUSTOMER], "meta": {"pagination": {"total_pages": None}}},
    ],
    ids=["no pages", "no data", "pages null"],
)
def test_leap_that_tells_no_pages_is_an_error_and_marks_nothing(
    world: World, httpserver: HTTPServer, body: Any
) -> None:
    answer: Any = {"data": [CUSTOMER], "meta": {"pagination": {"total_pages": 1}}}
    world.use("salespro", {"SALESPRO_BASE_URL": serve(httpserver, lambda _: answer), **LEAP})
    world.sync("customers")
    answer = body
    with pytest.raises(PermanentError, match="does not say which page comes next"):
        world.sync("customers")
    assert world.rows("customers", "id") == [1]


def test_leap_that_tells_no_pages_but_gives_a_row_loses_none(
    world: World, httpserver: HTTPServer
) -> None:
    answer = {"data": [CUSTOMER], "meta": {"pagination": {"total_pages": 0}}}
    world.use("salespro", {"SALESPRO_BASE_URL": serve(httpserver, lambda _: answer), **LEAP})
    world.sync("customers")
    assert world.rows("customers", "id") == [1]


BIG = 2**53 + 1


class BareTimes(Schedule):
    """Tells some times without a zone."""

    def answer(self, request: Request) -> Any:
        found = super().answer(request)
        if request.path.endswith("/tasks"):
            for task in found:
                if task["id"] == 6:
                    task["start_datetime"] = task["start_datetime"][:19]
        return found


def test_a_task_that_is_moved_back_is_read_by_a_full_run(
    world: World, httpserver: HTTPServer
) -> None:
    schedule = BareTimes({BIG: 5, 4: 7, 6: 9})
    schedule.begin(world, httpserver)
    world.sync("tasks")
    assert dict(world.rows("tasks", "id", "start_datetime"))[6].replace(tzinfo=UTC) == (
        NOW + timedelta(days=9)
    )
    schedule.days[4] = -60
    assert world.sync("tasks").deleted == 0
    assert world.rows("tasks", "id") == sorted((4, 6, BIG), key=repr)
    world.sync("tasks", mode="full")
    assert dict(world.rows("tasks", "id", "title"))[4] == "day -60"
    assert verified(world, "tasks").is_equal


class Calls:
    """``calls`` by id; an account whose days are UTC's. ``is_stuck``: next pages name themselves."""

    def __init__(self, calls: dict[str, Any]) -> None:
        self.calls, self.is_stuck = calls, False

    def answer(self, request: Request) -> Any:
        key = request.path.rsplit("/", 1)[1].removesuffix(".json")
        if key != "calls":
            found = self.calls.get(key)
            return found or Response(json.dumps({"error": "Not found"}), 404)
        low, high = request.args.get("start_date", ""), request.args.get("end_date", "9")
        there = [c for c in self.calls.values() if low <= self._day(c) <= high]
        first, size = int(request.args.get("offset", 0)), int(request.args["per_page"])
        answer = {"calls": there[first : first + size], "total_records": len(there)}
        after = first if self.is_stuck else first + size
        has_next = self.is_stuck or after < len(there)
        link = f"{request.base_url}?start_date={low}&end_date={high}&per_page={size}&offset={after}"
        return {**answer, "next_page": link if has_next else None}

    def _day(self, call: Any) -> str:
        return f"{datetime.fromisoformat(call['start_time']).astimezone(UTC):%Y-%m-%d}"

    def put(self, key: str, day: int, hour: int, zone: int, **others: Any) -> None:
        at = (datetime.now(UTC) + timedelta(days=day)).astimezone(timezone(timedelta(hours=zone)))
        at = at.replace(hour=hour, minute=30, second=0, microsecond=0)
        self.calls[key] = {"id": key, "start_time": at.isoformat(), "tags": [], **others}


@pytest.fixture
def calls(world: World, httpserver: HTTPServer) -> Calls:
    found = Calls({})
    world.use("callrail", {"CALLRAIL_BASE_URL": serve(httpserver, found.answer), **CALLRAIL})
    return found


def test_calls_at_the_borders_of_days_and_zones_are_not_taken_for_gone(
    world: World, calls: Calls
) -> None:
    borders = [(-5, 23, -8), (-5, 0, -8), (-29, 0, 12), (-31, 23, -10), (-30, 12, 0), (-700, 12, 0)]
    borders += [(0, 1, -8), (-3, 12, 0), (-30, 23, -11), (-32, 23, -11), (-31, 1, 13)]
    for number, (day, hour, zone) in enumerate(borders):
        calls.put(f"C{number}", day, hour, zone)
    world.sync("calls")
    del calls.calls["C7"]
    calls.calls["C1"]["note"] = "late"
    for mode in ("delta", "delta", "full"):
        world.sync("calls", mode=mode)
        assert world.rows("calls", "id", deleted=True) == ["C7"]
    assert dict(world.rows("calls", "id", "note"))["C1"] == "late"
    assert verified(world, "calls").is_equal


def test_a_link_that_leads_to_its_own_page_ends_the_run(world: World, calls: Calls) -> None:
    calls.put("C1", -3, 12, 0)
    world.sync("calls")
    calls.is_stuck = True
    with pytest.raises(PermanentError, match="sends the same page again"):
        world.sync("calls")
    assert world.rows("calls", "id") == ["C1"]


def begin_leads(world: World, server: HTTPServer, events: list[Any]) -> None:
    def answer(request: Request) -> Any:
        after = request.args.get("after_id", "")
        return sorted((e for e in events if e["id"] > after), key=lambda e: str(e["id"]))

    url = serve(server, answer)
    world.use("leadconduit", {"LEADCONDUIT_BASE_URL": url, "LEADCONDUIT_API_KEY": "k"})


def test_events_of_other_kinds_and_without_a_lead_cost_no_lead(
    world: World, httpserver: HTTPServer
) -> None:
    now = time.time()
    without, other, large = (event(now - DAY, number) for number in (5, 6, 7))
    without["vars"], other["type"] = {}, "recipient"
    large["vars"]["lead"]["extra"] = {str(i): "y" * 100 for i in range(20_000)}
    begin_leads(world, httpserver, [without, other, large])
    result = world.sync("leads")
    assert "1 records have no key (lead_id)" in (result.warning or "")
    ((key, kept),) = world.rows("leads", "lead_id", "vars")
    assert (key, kept["lead"]["extra"]["19999"]) == ("L7", "y" * 100)
    assert len(kept["lead"]["extra"]) == 20_000


def test_a_lead_that_leadconduit_no_longer_keeps_is_no_difference(
    world: World, httpserver: HTTPServer
) -> None:
    now = time.time()
    events = [event(now - 180 * DAY, 1), event(now - DAY, 3)]
    begin_leads(world, httpserver, events)
    world.sync("leads")
    del events[0]
    report = verified(world, "leads")
    assert (report.is_equal, report.forgotten, report.extra) == (True, 1, 0)


# What a PHP back end makes of an object, and what it is.
SHAPES: list[tuple[Any, Any]] = [
    *((empty, {}) for empty in ({}, [], "", "{}", "[]", 0, False, None)),
    ('{"a":1}', {"a": 1}),
    ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
    (["x"], ["x"]),
    ('{"a":1,"a":2}', {"a": 2}),
    ('{"n": NaN}', {"n": None}),
    ({"": 1, "a b": "\u0000z"}, {"": 1, "a b": "z"}),
    *((odd, None) for odd in ("5", 5, True, "{bad", '"text"')),
]


def test_custom_fields_of_every_shape_are_what_was_sent(
    world: World, httpserver: HTTPServer
) -> None:
    leads = [
        {"id": n, "firstName": "x", "customFields": sent} for n, (sent, _) in enumerate(SHAPES)
    ]

    def answer(request: Request) -> Any:
        key = request.path.rsplit("/", 1)[1]
        if key.isdigit():
            return {"data": leads[int(key)]}
        first = int(request.args["perPage"]) * (int(request.args["page"]) - 1)
        return {"data": leads[first:], "meta": {"morePages": False}}

    world.use("salesrabbit", {"SALESRABBIT_BASE_URL": serve(httpserver, answer), **RABBIT})
    world.sync("leads")
    found = dict(world.rows("leads", "id", "custom_fields"))
    assert found == {number: held for number, (_, held) in enumerate(SHAPES)}
    kept = {key for key, misfits in world.rows("leads", "id", "_misfits") if misfits}
    assert kept == {number for number, (_, held) in enumerate(SHAPES) if held is None}
    report = verified(world, "leads")
    assert (report.is_equal, report.examples) == (True, [])
