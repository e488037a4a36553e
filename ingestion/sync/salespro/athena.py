"""SalesPro's data lake on AWS Athena: a query, a wait, pages of text."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ingestion.sync.common.errors import (
    CredentialsError,
    NotOffered,
    PermanentError,
    SettingsMissing,
    SyncError,
    Throttled,
    TransientError,
)
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Exchange, Heard, Record, SourceContext, Window
from ingestion.sync.common.window import before_clock_change
from ingestion.sync.http.decoding import decoded
from ingestion.sync.http.retry import RetryPolicy, pause
from ingestion.sync.salespro import settings as names

MAX_RESULTS = 1000
PROBED = 5
POLL_SECONDS = 0.5
REFUSALS = (
    "AccessDenied",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "ExpiredToken",
)
THROTTLES = ("TooManyRequests", "Throttling")
RETRY = RetryPolicy()
# What an answer has to hold; boto3 makes an empty one of what it cannot read.
PARTS = {
    "start_query_execution": "QueryExecutionId",
    "get_query_execution": "QueryExecution",
    "get_query_results": "ResultSet",
}


@dataclass(frozen=True)
class LakeTable:
    """``table`` of the data lake, its ``key`` and types; ``where`` cuts a model out of it."""

    table: str
    key: tuple[str, ...]
    columns: Columns
    where: str = ""


TIMES = {"created_at": "timestamp", "updated_at": "timestamp"}
ESTIMATE = {
    "estimate_id": "text",
    "customer_id": "text",
    "sales_rep_id": "text",
    "zip_code": "text",
    "sale_amount": "decimal",
    "finance_amount": "decimal",
    "down_payment": "decimal",
    "is_sale": "bool",
    "has_credit_app": "bool",
    "document_count": "bigint",
    **TIMES,
}
# A choice, not a fact: which table of the lake stands for which model.
LAKE: Mapping[str, LakeTable] = {
    "customers": LakeTable(
        "customer", ("customer_id",), {"customer_id": "text", "company_id": "text", **TIMES}
    ),
    "jobs": LakeTable("estimate", ("estimate_id",), ESTIMATE, where="is_sale = true"),
    "proposals": LakeTable("estimate", ("estimate_id",), ESTIMATE),
    "leads": LakeTable(
        "lead_results", ("estimate_id",), {"estimate_id": "text", "lead_results": "json", **TIMES}
    ),
}
USERS = {"objectId": "text", "isActive": "bool", "isManager": "bool"}
USERS_KEY = ("objectId",)


class AthenaBackend:
    """Asks the data lake."""

    def __init__(self, context: SourceContext, zone: ZoneInfo) -> None:
        """Raises SettingsMissing that names the missing settings."""
        self._context = context
        self._zone = zone
        self._athena: Any = _client(context)
        self._retry = RETRY.at_most(context.max_attempts).starting_with(context.first_delay_seconds)
        self._why = ""
        self._may_retry = False
        self._received: Mapping[str, Any] = {}
        if context.record is not None:
            self._athena.meta.events.register("response-received.athena", self._keep_received)

    def table(self, model_name: str) -> LakeTable:
        """Raises NotOffered for a model that the lake does not hold."""
        if model_name in LAKE:
            return LAKE[model_name]
        raise NotOffered(f"SalesPro's data lake has no {model_name}; set {names.BACKEND}=leap.")

    def pages(
        self, model_name: str, window: Window, *, batch_size: int | None
    ) -> Iterator[list[Record]]:
        size = min(batch_size or MAX_RESULTS, MAX_RESULTS)
        query_id = self._finished(self._started(self._sql(self.table(model_name), window)))
        yield from self._results(query_id, size)

    def first_rows(self, model_name: str) -> list[Record]:
        table = self.table(model_name)
        where = f" WHERE {table.where}" if table.where else ""
        sql = f'SELECT * FROM "{table.table}"{where} LIMIT {PROBED}'  # noqa: S608 - no input
        query_id = self._finished(self._started(sql))
        return next(self._results(query_id, PROBED + 1))  # the names are the first row

    def first_answer(self, sql: str) -> dict[str, Any]:
        """What a query answers, as it comes: names and rows, no more than a page."""
        query_id = self._finished(self._started(sql))
        return self._ask("get_query_results", QueryExecutionId=query_id, MaxResults=MAX_RESULTS)

    def users(self) -> list[Record]:
        """The rows of the CSV export. Raises NotOffered where none is set."""
        path = self._context.settings[names.USERS_CSV]
        if not path:
            raise NotOffered(
                f"SalesPro's data lake has no users; set {names.USERS_CSV} to their CSV export."
            )
        try:
            text = decoded(Path(path).expanduser().read_bytes())
        except OSError as problem:
            raise PermanentError(
                f"SalesPro's users cannot be read ({problem.strerror}); check {names.USERS_CSV}."
            ) from problem
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def close(self) -> None:
        self._athena.close()

    def _sql(self, table: LakeTable, window: Window) -> str:
        """A row without a time of change is in every window: nothing else would ever show it."""
        since = window.since and before_clock_change(window.since, self._zone)
        bounds = " AND ".join(
            f"updated_at {operator} timestamp '{self._local(bound)}'"
            for operator, bound in ((">=", since), ("<=", window.until))
            if isinstance(bound, datetime)
        )
        changed = f"({bounds} OR updated_at IS NULL)" if bounds else ""
        conditions = [condition for condition in (table.where, changed) if condition]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f'SELECT * FROM "{table.table}"{where} ORDER BY updated_at'  # noqa: S608 - no input

    def _local(self, moment: datetime) -> str:
        return moment.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def _started(self, sql: str) -> str:
        settings = self._context.settings
        answer = self._ask(
            "start_query_execution",
            QueryString=sql,
            QueryExecutionContext={"Database": settings[names.ATHENA_DATABASE]},
            ResultConfiguration={"OutputLocation": settings[names.ATHENA_OUTPUT]},
            WorkGroup=settings[names.ATHENA_WORKGROUP],
        )
        return str(answer["QueryExecutionId"])

    def _finished(self, query_id: str) -> str:
        """Waits for the query; a run that is stopped meanwhile stops the query, too."""
        wait_seconds = positive_int(self._context.settings, names.ATHENA_WAIT_SECONDS)
        end = time.monotonic() + wait_seconds
        try:
            while (state := self._state(query_id)) != "SUCCEEDED":
                if state in ("FAILED", "CANCELLED"):
                    raise self._unfinished(f"SalesPro's query was {state.lower()}{self._why}")
                if time.monotonic() >= end:
                    raise TransientError(
                        f"SalesPro's query was still {state.lower()} after {wait_seconds} seconds;"
                        f" try again later, or raise {names.ATHENA_WAIT_SECONDS}."
                    )
                pause(POLL_SECONDS, check=self._context.reporter.check)
        except BaseException:
            self._stop(query_id)
            raise
        return query_id

    def _stop(self, query_id: str) -> None:
        arguments = {"QueryExecutionId": query_id}
        with suppress(ClientError, BotoCoreError):
            self._athena.stop_query_execution(**arguments)
        self._record("stop_query_execution", arguments)

    def _unfinished(self, sentence: str) -> SyncError:
        """Athena itself says whether the same query may succeed later."""
        if self._may_retry:
            return TransientError(f"{sentence}; try again later.")
        return PermanentError(f"{sentence}.")

    def _state(self, query_id: str) -> str:
        status = self._ask("get_query_execution", QueryExecutionId=query_id)["QueryExecution"]
        reason = status["Status"].get("StateChangeReason", "")
        self._why = f": {reason[:200]}" if reason else ""
        self._may_retry = bool((status["Status"].get("AthenaError") or {}).get("Retryable"))
        return str(status["Status"]["State"])

    def _results(self, query_id: str, size: int) -> Iterator[list[Record]]:
        """The first row of the first page holds the names; a missing value is null."""
        token: dict[str, str] = {}
        columns: list[str] = []
        while True:
            answer = self._ask(
                "get_query_results", QueryExecutionId=query_id, MaxResults=size, **token
            )
            rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in _rows(answer)]
            if not columns and rows:
                columns, rows = [str(name) for name in rows[0]], rows[1:]
            yield [dict(zip(columns, row, strict=True)) for row in rows]
            if not answer.get("NextToken"):
                return
            if token.get("NextToken") == answer["NextToken"]:
                raise PermanentError(
                    "SalesPro's data lake get_query_results sends the same page again, so paging"
                    " would never end; try again later, or set SALESPRO_BACKEND=leap."
                )
            token = {"NextToken": answer["NextToken"]}

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer, after as many attempts as the policy allows."""
        attempt = partial(self._attempt, operation, arguments)
        return self._retry.run(attempt, pause=partial(pause, check=self._context.reporter.check))

    def _attempt(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self._context.reporter.check()
        self._context.meter.add(requests=1)
        try:
            answer: dict[str, Any] = getattr(self._athena, operation)(**arguments)
        except ClientError as problem:
            raise self._refused(operation, problem) from None
        except BotoCoreError as problem:
            raise TransientError(
                f"SalesPro's data lake {operation} got no complete answer"
                f" ({type(problem).__name__}); check the network and the region, or try again later."
            ) from None
        finally:
            self._record(operation, arguments)
        self._hear(operation, arguments, answer)
        if PARTS[operation] not in answer:
            raise TransientError(
                f"SalesPro's data lake {operation} did not answer as documented; check"
                f" {names.ATHENA_ENDPOINT}, or try again later."
            )
        return answer

    def _hear(
        self, operation: str, arguments: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        """As the AWS library gives it: every value is the text that was sent."""
        if self._context.hear is not None:
            content, sent = (json.dumps(told, default=str).encode() for told in (answer, arguments))
            self._context.hear(Heard(operation, content, sent=sent))

    def _keep_received(self, response_dict: Mapping[str, Any] | None, **_others: Any) -> None:
        """The AWS library's event of an answer."""
        self._received = response_dict or {}

    def _record(self, operation: str, arguments: Mapping[str, Any]) -> None:
        received, self._received = self._received, {}
        if self._context.record is None or not received:
            return
        about = self._athena.meta
        exchange = Exchange(
            "POST",
            f"{about.endpoint_url.rstrip('/')}/",
            json.dumps(arguments).encode(),
            received["status_code"],
            dict(received["headers"]),
            received["body"],
            operation=f"AmazonAthena.{about.method_to_api_mapping[operation]}",
        )
        self._context.record(exchange)

    def _refused(self, operation: str, problem: ClientError) -> SyncError:
        refusal = _refused(operation, problem)
        if isinstance(refusal, Throttled):
            self._context.meter.add(throttled=1)
        return refusal


def _rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer["ResultSet"]["Rows"]
    return rows


def _client(context: SourceContext) -> Any:
    settings = context.settings
    needed = (
        names.ACCESS_KEY_ID,
        names.SECRET_ACCESS_KEY,
        names.ATHENA_DATABASE,
        names.ATHENA_OUTPUT,
    )
    if missing := [name for name in needed if not settings[name]]:
        raise SettingsMissing(f"SalesPro is not configured: set {', '.join(missing)}.")
    return boto3.client(
        "athena",
        region_name=settings[names.ATHENA_REGION],
        endpoint_url=settings[names.ATHENA_ENDPOINT] or None,
        aws_access_key_id=settings[names.ACCESS_KEY_ID],
        aws_secret_access_key=settings[names.SECRET_ACCESS_KEY],
        config=Config(
            connect_timeout=10,
            read_timeout=context.timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": 1},  # we count them
        ),
    )


def _refused(operation: str, problem: ClientError) -> SyncError:
    error = problem.response.get("Error", {})
    code, words = str(error.get("Code", "")), str(error.get("Message", ""))[:200].rstrip(". ")
    label = f"SalesPro's data lake refused {operation} ({code}: {words})"
    if code.startswith(REFUSALS):
        return CredentialsError(f"{label}; check {names.ACCESS_KEY_ID} and its rights.")
    if code.startswith(THROTTLES):
        return Throttled(f"{label}; try again later.")
    if problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return TransientError(f"{label}; try again later.")
    return PermanentError(
        f"{label}; check {names.ATHENA_DATABASE}, {names.ATHENA_OUTPUT} and the right glue:GetDatabase."
    )
