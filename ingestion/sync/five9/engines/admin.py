"""The operations of the Configuration Web Services that the sync uses, with typed answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from requests.auth import HTTPBasicAuth
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault

from ingestion.sync.common.errors import PermanentError, SyncError
from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import SourceContext
from ingestion.sync.five9.engines.faults import (
    LIMIT_EXCEEDED,
    SESSION_FAULTS,
    FaultDetail,
    RefusedByFault,
    error_of,
)
from ingestion.sync.five9.engines.limits import Counter, over_limit, rates
from ingestion.sync.five9.engines.soap import SoapHttp, envelope_of, open_service
from ingestion.sync.http.client import HttpApi
from ingestion.sync.http.errors import documented_shape
from ingestion.sync.http.retry import RetryPolicy

logger = logging.getLogger(__name__)

# The column that a lookup is told to add: Five9's own id of the contact.
ID_FIELD = "contactID"
UNCOUNTED = frozenset({"closeSession", "getCallCountersState"})

# A contact as a lookup gives it: field name to text; None for "no value".
Contact = dict[str, str | None]
RETRY = RetryPolicy()
ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Criterion:
    """``value`` may hold ``%`` for any characters; several criteria are ANDed."""

    field: str
    value: str


@dataclass(frozen=True)
class ContactField:
    """``type`` e.g. DATE_TIME; ``maps`` names what Five9 writes into it, e.g. LastList.
    ``restrictions`` e.g. {"DateFormat": "yyyy-MM-dd"}."""

    name: str
    type: str
    maps: str = "None"
    restrictions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportResult:
    header: list[str]
    rows: list[list[str | None]]


class _Gate:
    """Passes questions on to the run's reporter until it is shut: a stopped run must still be able
    to end its session."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def shut(self) -> None:
        self.reporter = SilentReporter()

    def step(self, model: str, step: str) -> None:
        self.reporter.step(model, step)

    def advance(self, model: str, *, rows: int) -> None:
        self.reporter.advance(model, rows=rows)

    def check(self) -> None:
        self.reporter.check()

    def check_known(self) -> None:
        self.reporter.check_known()


class Five9Admin:
    """One session with one domain. Each method raises SyncErrors that name the operation."""

    def __init__(self, context: SourceContext) -> None:
        settings = context.settings
        self._longest_wait = positive_int(settings, "FIVE9_LIMIT_WAIT_SECONDS")
        own = replace(RETRY, max_retry_after_seconds=self._longest_wait)
        self._retry = own.at_most(context.max_attempts).starting_with(context.first_delay_seconds)
        self._secrets = (settings["FIVE9_PASSWORD"],)
        self._gate = _Gate(context.reporter)
        self._meter = context.meter
        self._http = SoapHttp(_api(context), replace(context, reporter=self._gate))
        self._service = open_service(
            self._http, wsdl=settings["FIVE9_WSDL"], timeout_seconds=context.timeout_seconds
        )
        self._counters: list[Counter] | None = None
        self._is_open = False
        # A long poll must be answered before the request times out.
        self.longest_poll_seconds = int(min(30, context.timeout_seconds / 2))

    def close(self) -> None:
        """End the session on the server's side; a failure to do so is only logged."""
        self._gate.shut()
        try:
            if self._is_open:
                self._call("closeSession", retry=ONCE)
        except SyncError as problem:
            logger.warning("%s", problem)
        finally:
            self._http.close()

    def contact_fields(self) -> list[ContactField]:
        found = self._call("getContactFields") or []
        with documented_shape("Five9 getContactFields"):
            return [_contact_field(item) for item in found]

    def list_names(self) -> list[str]:
        return [item.name for item in self._call("getListsInfo") or []]

    def contacts(self, criteria: Sequence[Criterion]) -> list[Contact]:
        """At most as many as the record limit allows; nobody says whether there are more."""
        asked = [{"field": c.field, "value": c.value} for c in criteria]
        answer = self._call(
            "getContactRecords", lookupCriteria={"contactIdField": ID_FIELD, "criteria": asked}
        )
        with documented_shape("Five9 getContactRecords"):
            return _contacts(answer)

    def run_report(self, folder: str, name: str, start: datetime, end: datetime) -> str:
        """The identifier of the report that is being made. ``start``, ``end``: aware."""
        found = self._call(
            "runReport",
            folderName=folder,
            reportName=name,
            criteria={"time": {"end": end, "start": start}},
        )
        return str(found)

    def is_report_running(self, identifier: str, *, poll_seconds: int) -> bool:
        """Waits up to ``poll_seconds`` for the report."""
        return bool(self._call("isReportRunning", identifier=identifier, timeout=poll_seconds))

    def report_result(self, identifier: str) -> ReportResult:
        answer = self._call("getReportResult", identifier=identifier)
        with documented_shape("Five9 getReportResult"):
            if answer is None or answer.header is None:
                return ReportResult([], [])
            return ReportResult(_data(answer.header), [_data(row) for row in answer.records])

    def pause(self, seconds: float) -> None:
        self._http.pause(seconds)

    def _call(self, operation: str, *, retry: RetryPolicy | None = None, **arguments: Any) -> Any:
        """The operation's ``return`` value, after as many attempts as the policy allows."""
        limits = () if operation in UNCOUNTED else self._rates(operation)
        attempt = partial(self._attempt, operation, limits, arguments)
        return (retry or self._retry).run(attempt, pause=self._http.pause)

    def _attempt(self, operation: str, limits: tuple[Rate, ...], arguments: dict[str, Any]) -> Any:
        self._http.operation, self._http.rates = operation, limits
        self._is_open = True
        ask: Callable[..., Any] = getattr(self._service, operation)
        try:
            return ask(**arguments)
        except Fault as fault:
            raise self._error_of(operation, FaultDetail.of(fault)) from None
        except (ZeepError, LookupError, TypeError, ValueError) as problem:
            raise PermanentError(
                f"Five9 {operation} sent an answer that the WSDL does not describe"
                f" ({type(problem).__name__}); name the vendor's WSDL in FIVE9_WSDL."
            ) from problem

    def _error_of(self, operation: str, fault: FaultDetail) -> SyncError:
        if fault.name in SESSION_FAULTS:
            self._http.forget_session()
        if fault.name != LIMIT_EXCEEDED or operation in UNCOUNTED:
            return error_of(operation, fault, secrets=self._secrets)
        self._meter.add(throttled=1)
        return over_limit(
            operation,
            self._fresh_counters(),
            operation_type=fault.told.get("operationType", ""),
            longest_seconds=self._longest_wait,
        )

    def _rates(self, operation: str) -> tuple[Rate, ...]:
        if self._counters is None:
            self._counters = self._fresh_counters()
        return rates(self._counters, operation, longest_seconds=self._longest_wait)

    def _fresh_counters(self) -> list[Counter]:
        """Empty where the domain does not offer them: limits are only obeyed afterwards then."""
        try:
            states = self._call("getCallCountersState") or []
        except RefusedByFault as problem:
            logger.warning("%s", problem)
            return []
        with documented_shape("Five9 getCallCountersState"):
            return [
                Counter(c.operationType, int(c.limit), int(c.value), float(state.timeout))
                for state in states
                for c in state.callCounterStates
            ]


def _api(context: SourceContext) -> HttpApi:
    settings = context.settings
    user, password = settings["FIVE9_USERNAME"], settings["FIVE9_PASSWORD"]
    base, version = settings["FIVE9_BASE_URL"].rstrip("/"), settings["FIVE9_API_VERSION"]
    return HttpApi(
        title="Five9",
        base_url=f"{base}/wsadmin/{version}/AdminWebService",
        auth=HTTPBasicAuth(user.encode(), password.encode()),
        headers={"Accept": "text/xml"},
        retry=ONCE,  # a call is tried again as a whole, so that faults are treated alike
        credentials=("FIVE9_USERNAME", "FIVE9_PASSWORD"),
        secrets=(password,),
        parse=envelope_of,
    )


def _contact_field(item: Any) -> ContactField:
    restrictions = {r.type: r.value for r in item.restrictions if r.type and r.value}
    return ContactField(item.name, item.type or "STRING", item.mapTo or "None", restrictions)


def _contacts(answer: Any) -> list[Contact]:
    if answer is None:
        return []
    rows = [_data(record) for record in answer.records]
    return [dict(zip(answer.fields, row, strict=True)) for row in rows]


def _data(record: Any) -> list[Any]:
    """``record.values`` is the method of the dictionary that zeep's objects also are."""
    return list(record["values"].data)
