"""The data lake as AWS Athena serves it: AWS JSON 1.1; the SQL is run by SQLite."""

from __future__ import annotations

import hmac
import json
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug import Request, Response

from sandbox.crms.salespro.records import Records, Row
from sandbox.web import is_throttled

ACCESS_KEY_ID, SECRET_ACCESS_KEY = "SANDBOXKEY", "sandbox-salespro-secret"
DATABASE = "sandbox_lake"
LITERAL = re.compile(r"timestamp ('[^']*')")
POLLS_UNTIL_DONE = 1
MAX_RESULTS = 1000
SIGNATURE = re.compile(
    r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/athena/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


class Athena:
    """Three tables made of the records: queries are started, polled and paged."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._queries: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Response:
        if f"Credential={ACCESS_KEY_ID}/" not in request.headers.get("Authorization", ""):
            return _refusal("UnrecognizedClientException", "The security token is invalid.")
        if not is_signed(request):
            return _refusal(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )
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
            return _refusal("UnknownOperationException", f"no operation {operation}")
        try:
            body = json.loads(request.get_data())
            return _json(handlers[operation](body))
        except (ValueError, TypeError, AttributeError):
            return _refusal("SerializationException", "The request is no JSON of this operation.")
        except KeyError as missing:
            return _refusal("InvalidRequestException", f"{missing.args[0]} was not found")

    def _start(self, body: dict[str, Any]) -> dict[str, Any]:
        query_id = str(uuid.uuid4())
        now = time.time()
        query: dict[str, Any] = {"polls": 0, "rows": [], "error": "", "asked": body, "at": now}
        sql = body["QueryString"]
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            query["error"] = "Only queries are understood"
        else:
            try:
                query["rows"] = self._run(LITERAL.sub(r"\1", sql))
            except sqlite3.Error as problem:
                query["error"] = str(problem)
        self._queries[query_id] = query
        return {"QueryExecutionId": query_id}

    def _get(self, body: dict[str, Any]) -> dict[str, Any]:
        query_id = body["QueryExecutionId"]
        query = self._queries[query_id]
        query["polls"] += 1
        state = "RUNNING" if query["polls"] <= POLLS_UNTIL_DONE else "SUCCEEDED"
        status = {"State": "FAILED" if query["error"] else state, "SubmissionDateTime": query["at"]}
        if query["error"]:
            about = {"ErrorCategory": 2, "Retryable": False, "ErrorMessage": query["error"]}
            status |= {"StateChangeReason": query["error"], "AthenaError": about}
        asked = query["asked"]
        return {
            "QueryExecution": {
                "QueryExecutionId": query_id,
                "Query": asked["QueryString"],
                "StatementType": "DML",
                "QueryExecutionContext": asked.get("QueryExecutionContext", {}),
                "ResultConfiguration": asked.get("ResultConfiguration", {}),
                "WorkGroup": asked.get("WorkGroup", "primary"),
                "Status": status,
            }
        }

    def _stop(self, body: dict[str, Any]) -> dict[str, Any]:
        self._queries.pop(body["QueryExecutionId"], None)
        return {}

    def _results(self, body: dict[str, Any]) -> dict[str, Any]:
        query = self._queries[body["QueryExecutionId"]]
        rows = query["rows"]
        if query["error"] or not rows:
            raise KeyError("The result of a query that has failed")
        first = int(body.get("NextToken", "0"))
        after = first + int(body.get("MaxResults", MAX_RESULTS))
        cut = [{"Data": [_cell(value) for value in row]} for row in rows[first:after]]
        about = {"ColumnInfo": [_column(name) for name in rows[0]]}
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


def _column(name: str) -> dict[str, Any]:
    """The lake's own types are not known here: every column says that it holds text."""
    return {
        "Name": name,
        "Label": name,
        "Type": "varchar",
        "Precision": 2_147_483_647,
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": True,
    }


def is_signed(request: Request) -> bool:
    """Whether the secret key has signed the request (Signature Version 4)."""
    found = SIGNATURE.search(request.headers.get("Authorization", ""))
    if found is None:
        return False
    headers = {name: request.headers.get(name, "") for name in found["headers"].split(";")}
    signed = AWSRequest(request.method, request.url, headers=headers, data=request.get_data())
    signed.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    key = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "athena", found["region"])
    text = key.string_to_sign(signed, key.canonical_request(signed))
    return hmac.compare_digest(key.signature(text, signed), found["signature"])


def _cell(value: Any) -> dict[str, str]:
    """Every value is text; null is a missing value."""
    return {} if value is None else {"VarCharValue": str(value)}


def _refusal(kind: str, message: str) -> Response:
    return _json({"__type": kind, "message": message}, 400)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/x-amz-json-1.1")
