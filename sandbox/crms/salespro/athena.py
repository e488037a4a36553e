"""The data lake as AWS Athena serves it: AWS JSON 1.1; the SQL is run by SQLite."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug import Request, Response

from sandbox.crms.salespro.records import Records, Row
from sandbox.web import is_throttled

ACCESS_KEY_ID, SECRET_ACCESS_KEY = "SANDBOXKEY", "sandbox-salespro-secret"
DATABASE = "sandbox_lake"
LITERAL = re.compile(r"timestamp ('[^']*')")
POLLS_UNTIL_DONE = 1


class Athena:
    """Three tables made of the records: queries are started, polled and paged."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._queries: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Response:
        if f"Credential={ACCESS_KEY_ID}/" not in request.headers.get("Authorization", ""):
            return _refusal("UnrecognizedClientException", "The security token is invalid.")
        if is_throttled.get():
            return _refusal("ThrottlingException", "Rate exceeded")
        operation = request.headers.get("X-Amz-Target", "").removeprefix("AmazonAthena.")
        handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "GetQueryResults": self._results,
            "StopQueryExecution": self._stop,
        }
        if operation not in handlers:
            return _refusal("InvalidRequestException", f"no operation {operation}")
        return _json(handlers[operation](json.loads(request.get_data())))

    def _start(self, body: dict[str, Any]) -> dict[str, Any]:
        query_id = str(uuid.uuid4())
        query: dict[str, Any] = {"polls": 0, "rows": [], "error": ""}
        try:
            query["rows"] = self._run(LITERAL.sub(r"\1", body["QueryString"]))
        except sqlite3.Error as problem:
            query["error"] = str(problem)
        self._queries[query_id] = query
        return {"QueryExecutionId": query_id}

    def _get(self, body: dict[str, Any]) -> dict[str, Any]:
        query = self._queries[body["QueryExecutionId"]]
        query["polls"] += 1
        state = "RUNNING" if query["polls"] <= POLLS_UNTIL_DONE else "SUCCEEDED"
        status = {"State": "FAILED" if query["error"] else state}
        return {"QueryExecution": {"Status": {**status, "StateChangeReason": query["error"]}}}

    def _stop(self, body: dict[str, Any]) -> dict[str, Any]:
        self._queries.pop(body["QueryExecutionId"], None)
        return {}

    def _results(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = self._queries[body["QueryExecutionId"]]["rows"]
        first = int(body.get("NextToken", "0"))
        after = first + int(body.get("MaxResults", 1000))
        cut = [{"Data": [_cell(value) for value in row]} for row in rows[first:after]]
        about = {"ColumnInfo": [{"Name": name, "Type": "varchar"} for name in rows[0]]}
        answer: dict[str, Any] = {"ResultSet": {"Rows": cut, "ResultSetMetadata": about}}
        return {**answer, "NextToken": str(after)} if after < len(rows) else answer

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        """The names, then the rows."""
        with sqlite3.connect(":memory:") as lake:
            _fill(lake, "customer", map(_customer, self._records.lists["customers"].values()))
            _fill(lake, "estimate", map(_estimate, self._records.lists["jobs"].values()))
            _fill(lake, "lead_results", map(_lead, self._records.lists["jobs"].values()))
            cursor = lake.execute(sql)
            names = tuple(column[0] for column in cursor.description)
            return [names, *cursor.fetchall()]


def _fill(lake: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    found = list(rows)
    names = ", ".join(found[0])
    marks = ", ".join("?" for _ in found[0])
    lake.execute(f"CREATE TABLE {table} ({names})")
    lake.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(r.values()) for r in found])  # noqa: S608 - our own names


def _customer(row: Row) -> Row:
    return {
        "customer_id": f"c{row['id']:09d}",
        "company_id": "company1",
        "customer_first_name": row["first_name"],
        "customer_last_name": row["last_name"],
        **_times(row),
    }


def _estimate(row: Row) -> Row:
    return {
        "estimate_id": f"e{row['id']:09d}",
        "customer_id": f"c{row['customer_id']:09d}",
        "zip_code": "02108",
        "sale_amount": f"{row['financial_details']['data']['total_job_price']}.50",
        "is_sale": row["current_stage"]["name"] in ("Contract Signed", "Paid"),
        "loan_name": None,
        **_times(row),
    }


def _lead(row: Row) -> Row:
    results = json.dumps({"stage": row["current_stage"]["name"]})
    return {"estimate_id": f"e{row['id']:09d}", "lead_results": results, **_times(row)}


def _times(row: Row) -> Row:
    return {name: f"{row[name]}.000" for name in ("created_at", "updated_at")}


def _cell(value: Any) -> dict[str, str]:
    """Every value is text; null is a missing value."""
    return {} if value is None else {"VarCharValue": str(value)}


def _refusal(kind: str, message: str) -> Response:
    return _json({"__type": kind, "message": message}, 400)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/x-amz-json-1.1")
