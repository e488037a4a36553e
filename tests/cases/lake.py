"""A data lake on Athena whose tables a test fills, and whose answers it may replace."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.truth.world import World, serve

Row = Sequence[str | None]


@dataclass
class Lake:
    """``tables``: the columns and the rows of each. ``instead``: another answer to an operation."""

    tables: dict[str, tuple[Sequence[str], list[Row]]]
    instead: Callable[[str], Response | None] = lambda operation: None
    queries: list[str] = field(default_factory=list)
    results: list[list[Row]] = field(default_factory=list)

    def begin(self, world: World, server: HTTPServer, **changed: str) -> None:
        settings = {
            "SALESPRO_BACKEND": "athena",
            "SALESPRO_ATHENA_ENDPOINT": serve(server, self.answer),
            "SALESPRO_ATHENA_DATABASE": "lake",
            "SALESPRO_ATHENA_OUTPUT": "s3://b/o/",
            "SALESPRO_ACCESS_KEY_ID": "AKIA",
            "SALESPRO_SECRET_ACCESS_KEY": "s",
        }
        world.use("salespro", {**settings, **changed})

    def answer(self, request: Request) -> Any:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        if (other := self.instead(operation)) is not None:
            return other
        body = json.loads(request.data)
        match operation:
            case "StartQueryExecution":
                self.queries.append(body["QueryString"])
                self.results.append(self._run(body["QueryString"]))
                return {"QueryExecutionId": str(len(self.results) - 1)}
            case "GetQueryExecution":
                return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
            case "GetQueryResults":
                return self._page(body)
        return {}

    def _page(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = self.results[int(body["QueryExecutionId"])]
        first = int(body.get("NextToken", "0"))
        after = first + body["MaxResults"]
        cells = [
            [{} if c is None else {"VarCharValue": str(c)} for c in r] for r in rows[first:after]
        ]
        found: dict[str, Any] = {"ResultSet": {"Rows": [{"Data": row} for row in cells]}}
        return {**found, "NextToken": str(after)} if after < len(rows) else found

    def _run(self, sql: str) -> list[Row]:
        lake = sqlite3.connect(":memory:")
        for name, (columns, rows) in self.tables.items():
            lake.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            lake.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
        plain = re.sub(r"timestamp '([^']*)'", r"'\1'", sql).replace("= true", "= 'true'")
        found = lake.execute(re.sub(r"(ORDER BY \w+)", r"\1 NULLS LAST", plain))
        return [[column[0] for column in found.description], *found]
