"""LeadConduit: event ids begin with the seconds of the machine that made them, and one's clock may
run ahead."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request

from tests.truth.world import World, serve

DAY = 86_400


def event(at: float, number: int) -> dict[str, Any]:
    return {
        "id": f"{int(at):08x}{number:016x}",
        "type": "source",
        "start_timestamp": int(at * 1000),
        "vars": {"lead": {"id": f"L{number}"}},
    }


def test_an_id_of_a_clock_that_runs_ahead_hides_nothing(
    world: World, httpserver: HTTPServer
) -> None:
    now = time.time()
    events = [event(now - 7200, 1), event(now + 30 * DAY, 2)]

    def answer(request: Request) -> Any:
        after = request.args.get("after_id", "")
        found = sorted((e for e in events if e["id"] > after), key=lambda e: str(e["id"]))
        return found[: int(request.args["limit"])]

    settings = {"LEADCONDUIT_BASE_URL": serve(httpserver, answer), "LEADCONDUIT_API_KEY": "k"}
    world.use("leadconduit", {**settings, "LEADCONDUIT_REQUESTS_PER_MINUTE": "6000"})
    world.sync("leads")
    events += [event(now - 30, 3), event(now - 20, 4)]
    world.sync("leads")
    assert world.rows("leads", "lead_id") == ["L1", "L2", "L3", "L4"]


def test_a_first_run_reads_all_that_an_account_keeps(world: World, httpserver: HTTPServer) -> None:
    now = time.time()
    events = [event(now - 200 * DAY, 1), event(now - DAY, 2)]

    def answer(request: Request) -> Any:
        start = request.args.get("start")
        first = datetime.fromisoformat(start).timestamp() if start else 0
        return [e for e in events if e["start_timestamp"] / 1000 >= first]

    settings = {"LEADCONDUIT_BASE_URL": serve(httpserver, answer), "LEADCONDUIT_API_KEY": "k"}
    world.use("leadconduit", {**settings, "LEADCONDUIT_REQUESTS_PER_MINUTE": "6000"})
    assert world.sync("leads").warning is None
    assert world.rows("leads", "lead_id") == ["L1", "L2"]


def test_a_gap_that_retention_has_made_is_reported_once(
    world: World, httpserver: HTTPServer
) -> None:
    now = time.time()
    events = [event(now - 200 * DAY, 1)]

    def answer(request: Request) -> Any:
        after = request.args.get("after_id", "")
        return [e for e in events if e["id"] > after]

    settings = {"LEADCONDUIT_BASE_URL": serve(httpserver, answer), "LEADCONDUIT_API_KEY": "k"}
    world.use("leadconduit", {**settings, "LEADCONDUIT_REQUESTS_PER_MINUTE": "6000"})
    assert world.sync("leads").warning is None
    events[:] = [event(now - DAY, 3)]
    assert "were not read in time and are lost" in (world.sync("leads").warning or "")
    assert world.sync("leads").warning is None
    assert world.rows("leads", "lead_id") == ["L1", "L3"]
