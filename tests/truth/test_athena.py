"""SalesPro's data lake on Athena: rows without a time of change, the hour that autumn repeats, and
failures that Athena itself calls passing. Reported of others: PostHog/posthog#76090, airbyte#16567
(NULL cursors), grafana/athena-datasource#320, growthbook#1866 (S3 SlowDown)."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request

from ingestion.sync.common.errors import PermanentError, TransientError
from tests.truth.world import World, serve

COLUMNS = ("customer_id", "company_id", "created_at", "updated_at")
Row = list[str | None]


@dataclass
class Lake:
    """One table of customers; its SQL runs in SQLite."""

    rows: list[Row]
    status: Callable[[], dict[str, Any]] = lambda: {"State": "SUCCEEDED"}
    results: list[list[Row]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Any:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        body = json.loads(request.data)
        self.asked.append(operation)
        match operation:
            case "StartQueryExecution":
                self.results.append(self.run(body["QueryString"]))
                return {"QueryExecutionId": str(len(self.results) - 1)}
            case "GetQueryExecution":
                return {"QueryExecution": {"Status": self.status()}}
            case "GetQueryResults":
                rows = self.results[int(body["QueryExecutionId"])]
                cells = [[{} if c is None else {"VarCharValue": c} for c in row] for row in rows]
                return {"ResultSet": {"Rows": [{"Data": row} for row in cells]}}
        return {}

    def run(self, sql: str) -> list[Row]:
        lake = sqlite3.connect(":memory:")
        lake.execute(f"CREATE TABLE customer ({', '.join(COLUMNS)})")
        lake.executemany("INSERT INTO customer VALUES (?, ?, ?, ?)", self.rows)
        found = lake.execute(re.sub(r"timestamp '([^']*)'", r"'\1'", sql)).fetchall()
        return [list(COLUMNS), *map(list, found)]


def begin(world: World, server: HTTPServer, lake: Lake, **changed: str) -> None:
    settings = {
        "SALESPRO_BACKEND": "athena",
        "SALESPRO_ATHENA_ENDPOINT": serve(server, lake.answer),
        "SALESPRO_ATHENA_DATABASE": "lake",
        "SALESPRO_ATHENA_OUTPUT": "s3://b/o/",
        "SALESPRO_ACCESS_KEY_ID": "AKIA",
        "SALESPRO_SECRET_ACCESS_KEY": "s",
    }
    world.use("salespro", {**settings, **changed})


def test_rows_without_a_time_of_change_are_read_by_every_run(
    world: World, httpserver: HTTPServer
) -> None:
    at = "2026-01-01 10:00:00"
    lake = Lake([["c1", "a", at, at], ["c0", "old", at, None]])
    begin(world, httpserver, lake)
    world.sync("customers")
    lake.rows[1][1] = "changed"
    lake.rows += [["c2", "new", "2020-01-01 10:00:00", None]]
    world.sync("customers")
    found = world.rows("customers", "customer_id", "company_id")
    assert found == [("c0", "changed"), ("c1", "a"), ("c2", "new")]


def test_the_hour_that_autumn_repeats_is_read_again(world: World, httpserver: HTTPServer) -> None:
    """01:55 is of the first pass; 01:20 of the second, 25 minutes later."""
    first, second = "2025-11-02 01:55:00", "2025-11-02 01:20:00"
    lake = Lake([["c1", "a", first, first]])
    begin(world, httpserver, lake, SALESPRO_TIME_ZONE="America/New_York")
    world.sync("customers")
    lake.rows.append(["c2", "b", second, second])
    world.sync("customers")
    assert world.rows("customers", "customer_id") == ["c1", "c2"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ({"State": "FAILED", "AthenaError": {"Retryable": True}}, TransientError),
        ({"State": "FAILED", "AthenaError": {"Retryable": False}}, PermanentError),
        ({"State": "FAILED", "StateChangeReason": "TYPE_MISMATCH: line 1"}, PermanentError),
        ({"State": "QUEUED"}, TransientError),
    ],
)
def test_athena_says_whether_a_failure_passes(
    world: World, httpserver: HTTPServer, status: dict[str, Any], kind: type[Exception]
) -> None:
    lake = Lake([], status=lambda: status)
    begin(world, httpserver, lake, SALESPRO_ATHENA_WAIT_SECONDS="1")
    with pytest.raises(kind):
        world.sync("customers")
    assert lake.asked[-1] == "StopQueryExecution"
