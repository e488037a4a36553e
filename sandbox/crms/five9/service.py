"""Five9's sandbox: the operations that the sync uses, with the limits and faults of the real one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from ingestion.sync.five9 import engines
from sandbox.base import Budget, SandboxConf
from sandbox.crms.five9.domain import FIELDS, LISTS, ZONE, Domain, StoredContact
from sandbox.crms.five9.limits import OperationLimits
from sandbox.crms.five9.wire import (
    SoapFault,
    answer,
    children,
    element,
    fault,
    read_request,
    record,
    text_of,
)
from sandbox.web import Refused, WebSandbox

USER, PASSWORD = "warehouse@example.com", "sandbox-five9-password"
VERSION = "v13"
RECORD_LIMIT = 1000
REPORT_LIMIT = 5000
REPORT_FOLDER, REPORT_NAME = "Warehouse", "Changed Contacts"
REPORT_FIELDS = ("contactID", "number1", "number2", "number3", "Last Modified")
KINDS = {"runReport": "ReportRequest", "getReportResult": "RetrieveReport"}
UNCOUNTED = ("closeSession", "getCallCountersState")
WSDL = Path(engines.__file__).with_name("admin_web_service.wsdl")
WSDL_ADDRESS = "https://api.five9.com:443/wsadmin/v13/AdminWebService"
UNAUTHORIZED = "<html><head><title>Error</title></head><body>Unauthorized</body></html>"


@dataclass
class Report:
    """``polls``: how often it is still reported as running."""

    rows: list[list[str | None]]
    polls: int


@dataclass
class Behavior:
    """What is not documented about the real service: both ways can be tried."""

    offers_id: bool = True  # a lookup adds the contact's id when it is requested
    takes_no_criteria: bool = True
    takes_empty: bool = True
    finds_empty: bool = True  # a criterion without a value finds contacts without one
    wildcard_finds_empty: bool = False
    knows_wildcards: bool = True
    wildcard_may_begin: bool = True  # "%5" finds what ends with 5
    report_polls: int = 1
    record_limit: int = RECORD_LIMIT
    report_limit: int = REPORT_LIMIT


class Five9Sandbox(WebSandbox):
    """``fail_next``: faults that the next operations answer with, first in, first out.
    ``operations``: those that were called; ``lookups``: the criteria of each lookup."""

    name = "five9"
    routes = Map(
        [
            Rule(f"/wsadmin/{VERSION}/AdminWebService", endpoint="soap", methods=["POST"]),
            Rule(f"/wsadmin/{VERSION}/AdminWebService", endpoint="wsdl", methods=["GET"]),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.domain = Domain(seed=conf.seed, rows=conf.rows)
        self.behavior = Behavior()
        self.limits = OperationLimits()
        self.fail_next: list[SoapFault] = []
        self.operations: list[str] = []
        self.lookups: list[str] = []
        self._reports: dict[str, Report] = {}
        self._lock = threading.RLock()

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "FIVE9_BASE_URL": base_url,
            "FIVE9_USERNAME": USER,
            "FIVE9_PASSWORD": PASSWORD,
            "FIVE9_TIME_ZONE": ZONE.key,
        }

    def budgets(self) -> Iterable[Budget]:
        with self._lock:
            return list(self.limits.budgets())

    def counts(self) -> dict[str, int]:
        return {"contacts": len(self.domain.contacts)}

    def tick(self, at: datetime) -> dict[str, int]:
        with self._lock:
            return self.domain.tick(at)

    def admit(self, request: Request) -> None:
        login = request.authorization
        if login is None or (login.username, login.password) != (USER, PASSWORD):
            refusal = Response(UNAUTHORIZED, 401, content_type="text/html")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="VCC"'
            raise Refused(refusal)

    def bad_request(self, request: Request) -> Response:
        return fault(SoapFault("", "Unmarshalling Error", code="soap:Client"))

    def wsdl(self, request: Request) -> Response:
        """The service's description, with its own address."""
        if "wsdl" not in request.args:
            return self.not_found(request)
        text = WSDL.read_text("utf-8").replace(WSDL_ADDRESS, request.base_url)
        return Response(text, content_type="text/xml;charset=UTF-8")

    def soap(self, request: Request) -> Response:
        with self._lock:
            try:
                return self._answer(*read_request(request.get_data()))
            except SoapFault as problem:
                return fault(problem)

    def _answer(self, name: str, request: Any) -> Response:
        self.operations.append(name)
        if name not in UNCOUNTED:
            if self.fail_next:
                raise self.fail_next.pop(0)
            self.limits.count(KINDS.get(name, "Query"))
        match name:
            case "getContactFields":
                parts = self._fields()
            case "getListsInfo":
                parts = self._lists()
            case "getContactRecords":
                parts = self._records(request.find("lookupCriteria"))
            case "runReport":
                parts = self._run_report(request)
            case "isReportRunning":
                parts = self._is_running(request)
            case "getReportResult":
                parts = self._result(request)
            case "getCallCountersState":
                parts = self._counters()
            case "closeSession":
                parts = []
            case _:
                raise SoapFault("", f"Unexpected wrapper element {name}", code="soap:Client")
        return answer(name, parts)

    def _fields(self) -> list[Any]:
        def restriction(kind: str, value: str) -> Any:
            return element("restrictions", [element("type", kind), element("value", value)])

        return [
            element(
                "return",
                [
                    element("displayAs", "Long"),
                    element("mapTo", f.maps),
                    element("name", f.name),
                    *(restriction(kind, value) for kind, value in f.restrictions.items()),
                    element("system", f.is_system),
                    element("type", f.type),
                ],
            )
            for f in FIELDS
        ]

    def _lists(self) -> list[Any]:
        sizes = dict.fromkeys(LISTS, 0)
        for contact in self.domain.contacts.values():
            if last := contact.values["last_list"]:
                sizes[last] += 1
        return [
            element("return", [element("name", name), element("size", size)])
            for name, size in sizes.items()
        ]

    def _records(self, lookup: Any) -> list[Any]:
        criteria = [
            (text_of(c, "field"), text_of(c, "value")) for c in children(lookup, "criteria")
        ]
        self.lookups.append(" ".join(f"{name}={value}" for name, value in criteria))
        self._check_criteria(criteria)
        found = [c for c in self.domain.contacts.values() if self._matches(c, criteria)]
        id_field = text_of(lookup, "contactIdField") if self.behavior.offers_id else ""
        names = [*([id_field] if id_field else []), *(f.name for f in FIELDS)]
        rows = found[: self.behavior.record_limit]
        records = [
            record("records", [*([c.id] if id_field else []), *c.values.values()]) for c in rows
        ]
        return [element("return", [*(element("fields", name) for name in names), *records])]

    def _check_criteria(self, criteria: list[tuple[str, str]]) -> None:
        if not (criteria or self.behavior.takes_no_criteria):
            raise SoapFault("MissedArgumentFault", "Lookup criteria are missing")
        for name, value in criteria:
            if not (value or self.behavior.takes_empty):
                raise SoapFault("IncorrectArgumentFault", f"No value for {name}")
            if name not in {f.name for f in FIELDS}:
                details = {"fieldName": name}
                raise SoapFault(
                    "CrmFieldNotFoundFault", f'Contact field "{name}" not found', details
                )

    def _matches(self, contact: StoredContact, criteria: list[tuple[str, str]]) -> bool:
        return all(self._is_like(contact.values[name], value) for name, value in criteria)

    def _is_like(self, text: str | None, wanted: str) -> bool:
        if not text:
            is_any = self.behavior.knows_wildcards and wanted == "%"
            return (
                self.behavior.finds_empty
                if not wanted
                else is_any and self.behavior.wildcard_finds_empty
            )
        if not (self.behavior.knows_wildcards and "%" in wanted):
            return text == wanted
        if wanted.startswith("%") and wanted != "%" and not self.behavior.wildcard_may_begin:
            return text == wanted
        return re.fullmatch(".*".join(map(re.escape, wanted.split("%"))), text) is not None

    def _run_report(self, request: Any) -> list[Any]:
        folder, name = text_of(request, "folderName"), text_of(request, "reportName")
        if (folder, name) != (REPORT_FOLDER, REPORT_NAME):
            details = {"folder": folder, "reportName": name}
            raise SoapFault("ReportNotFoundFault", f'Report "{name}" was not found', details)
        span = request.find("criteria/time")
        start, end = _moment(span, "start"), _moment(span, "end")
        if start > end:
            raise SoapFault("InvalidDateRangeFault", "Start has to precede end")
        identifier = f"{len(self._reports) + 1:032x}"
        rows = [_report_row(c) for c in self.domain.contacts.values() if start <= c.modified <= end]
        self._reports[identifier] = Report(
            rows[: self.behavior.report_limit], self.behavior.report_polls
        )
        return [element("return", identifier)]

    def _is_running(self, request: Any) -> list[Any]:
        """The real service answers a long poll later; here it is answered at once."""
        report = self._report(request)
        was_running = report.polls > 0
        report.polls = max(0, report.polls - 1)
        return [element("return", was_running)]

    def _result(self, request: Any) -> list[Any]:
        report = self._report(request)
        if report.polls:
            raise SoapFault("ResultIsNotReadyFault", "Result is not ready")
        header = record("header", [name.upper() for name in REPORT_FIELDS])
        return [element("return", [header, *(record("records", row) for row in report.rows)])]

    def _report(self, request: Any) -> Report:
        found = self._reports.get(text_of(request, "identifier"))
        if found is None:
            raise SoapFault("UnknownIdentifierFault", "Unknown identifier")
        return found

    def _counters(self) -> list[Any]:
        states: dict[int, list[Any]] = {}
        for seconds, kind, limit, value in self.limits.states():
            parts = [element("limit", limit), element("operationType", kind)]
            counted = element("callCounterStates", [*parts, element("value", value)])
            states.setdefault(seconds, []).append(counted)
        return [
            element("return", [*counters, element("timeout", seconds)])
            for seconds, counters in states.items()
        ]


def _report_row(contact: StoredContact) -> list[str | None]:
    return [contact.id, *(contact.values[name] for name in REPORT_FIELDS[1:])]


def _moment(span: Any, name: str) -> datetime:
    """Without a zone it is the data centre's."""
    try:
        moment = datetime.fromisoformat(text_of(span, name))
    except ValueError:
        raise SoapFault("MissedArgumentFault", f"criteria.time.{name} is missing") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
