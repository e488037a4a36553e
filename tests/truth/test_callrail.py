"""CallRail: one company that may not be read costs itself alone; calls that have got too old."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.callrail import rows
from tests.truth.sandboxed import verified
from tests.truth.world import World, serve


def begin(world: World, server: HTTPServer, handler: Any) -> None:
    world.use(
        "callrail",
        {
            "CALLRAIL_BASE_URL": serve(server, handler),
            "CALLRAIL_API_KEY": "k",
            "CALLRAIL_ACCOUNT_ID": "1",
            "CALLRAIL_REQUESTS_PER_HOUR": "100000",
            "CALLRAIL_REQUESTS_PER_DAY": "100000",
        },
    )


@pytest.mark.parametrize("status", [403, 404])
def test_a_company_that_cannot_be_read_costs_that_company_and_is_named(
    world: World, httpserver: HTTPServer, status: int
) -> None:
    closed: set[str] = set()
    gone: set[str] = set()

    def answer(request: Request) -> Any:
        if request.path.endswith("companies.json"):
            found = [{"id": f"COM{n}", "name": f"Company {n}"} for n in (1, 2, 3)]
            return {"companies": found, "total_pages": 1}
        company = request.args["company_id"]
        if company in closed:
            return Response(json.dumps({"error": "no access"}), status)
        found = [] if company in gone else [{"id": int(company[3:]) * 10, "type": "Webhooks"}]
        return {"integrations": found, "total_pages": 1}

    begin(world, httpserver, answer)
    world.sync("integrations")
    closed.add("COM2")
    gone.add("COM3")
    result = world.sync("integrations")
    assert result.warning is not None
    assert "Company 2" in result.warning
    assert str(status) in result.warning
    assert world.rows("integrations", "id") == [10, 20]
    assert world.rows("integrations", "id", deleted=True) == [30]


@pytest.mark.parametrize("years", [1, 3])
def test_calls_that_are_older_than_what_is_kept_are_reported(
    world: World, httpserver: HTTPServer, years: int
) -> None:
    at = datetime.now(UTC) - timedelta(days=365 * years)
    calls = [{"id": "A", "start_time": at.isoformat(), "tags": []}]
    begin(world, httpserver, lambda request: {"calls": calls, "next_page": None})
    assert world.sync("calls").warning is None
    calls[:] = []
    warning = world.sync("calls").warning or ""
    assert ("lost" in warning) is (years == 3)


def test_a_minus_in_parentheses_is_a_minus_to_verification(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime.now(UTC) - timedelta(days=3)
    call = {"id": "A", "start_time": at.isoformat(), "value": "(1,234.50)", "tags": []}
    answer = {"calls": [call], "next_page": None, "total_records": 1}
    begin(world, httpserver, lambda request: answer)
    world.sync("calls")
    assert world.rows("calls", "value") == [Decimal("-1234.50")]
    assert verified(world, "calls").is_equal
    monkeypatch.setattr(rows, "amount", lambda text: Decimal(re.sub(r"[^\d.]", "", text)))
    world.sync("calls", mode="full")
    report = verified(world, "calls")
    assert (report.different, report.wrong_values) == (0, 1)
    assert report.examples == ["wrong value in A: value holds 1234.5, the CRM sent (1,234.50)"]


def test_calls_that_are_too_old_are_forgotten_and_no_difference(
    world: World, httpserver: HTTPServer
) -> None:
    now = datetime.now(UTC)
    calls = [
        {"id": f"C{days}", "start_time": (now - timedelta(days=days)).isoformat(), "tags": []}
        for days in (3, 900)
    ]
    begin(
        world,
        httpserver,
        lambda request: {"calls": calls, "next_page": None, "total_records": len(calls)},
    )
    world.sync("calls")
    del calls[1]
    report = verified(world, "calls")
    assert (report.extra, report.forgotten, report.is_equal) == (0, 1, True)
    assert report.counted == "1"
