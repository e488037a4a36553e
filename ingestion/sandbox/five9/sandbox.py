"""Five9's stand-in: the operations that the sync uses, with the limits and faults of the real one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from ingestion.sandbox.base import Budget, SandboxConf
from ingestion.sandbox.five9.domain import FIELDS, LISTS, ZONE, Domain, StoredContact
from ingestion.sandbox.five9.limits import OperationLimits
from ingestion.sandbox.five9.wire import (
    SoapFault,
    answer,
    children,
    element,
    fault,
    read_request,
    record,
    text_of,
)
from ingestion.sandbox.web import Refused, WebSandbox

USER, PASSWORD = "warehouse@example.com", "sandbox-five9-password"
VERSION = "v13"
RECORD_LIMIT = 1000
REPORT_LIMIT = 5000
REPORT_FOLDER, REPORT_NAME = "Warehouse", "Changed Contacts"
REPORT_FIELDS = ("contactID", "number1", "number2", "number3", "Last Modified")
KINDS = {"runReport": "ReportRequest", "getReportResult": "RetrieveReport"}
UNCOUNTED = ("closeSession", "getCallCountersState")
UNAUTHORIZED = "<html><head><title>Error</title></head><body>Unauthorized</body></html>"


@dataclass
class Report:
    """``polls``: how often it is still said to be running."""

    rows: list[list[str | None]]
    polls: int


@dataclass
class Habits:
    """What nobody public tells about the real one; both ways can be had."""

    offers_id: bool = True  # a lookup adds the contact's id when it is asked for
    takes_no_criteria: bool = True
    takes_empty: bool = True
    finds_empty: bool = False  # a criterion without a value finds contacts without one
    wildcard_finds_empty: bool = False
    knows_wildcards: bool = True
    report_polls: int = 1
    record_limit: int = RECORD_LIMIT
    report_limit: int = REPORT_LIMIT


class Five9Sandbox(WebSandbox):
    """``fail_next``: faults that the next operations answer with, first in, first out."""

    name = "five9"
    routes = Map([Rule(f"/wsadmin/{VERSION}/AdminWebService", endpoint="soap", methods=["POST"])])

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.domain = Domain(seed=conf.seed, rows=conf.rows)
        self.habits = Habits()
        self.limits = OperationLimits()
        self.fail_next: list[SoapFault] = []
        self.asked: list[str] = []
        self.lookups: list[str] = []
        self._reports: dict[str, Report] = {}
        self._turn = threading.RLock()

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "FIVE9_BASE_URL": base_url,
            "FIVE9_USERNAME": USER,
            "FIVE9_PASSWORD": PASSWORD,
            "FIVE9_TIME_ZONE": ZONE.key,
        }

    def budgets(self) -> Iterable[Budget]:
        with self._turn:
            return list(self.limits.budgets())

    def counts(self) -> dict[str, int]:
        return {"contacts": len(self.domain.contacts)}

    def tick(self, at: datetime) -> dict[str, int]:
        with self._turn:
            return self.domain.tick(at)

    def admit(self, request: Request) -> None:
        login = request.authorization
        if login is None or (login.username, login.password) != (USER, PASSWORD):
            refusal = Response(UNAUTHORIZED, 401, content_type="text/html")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="VCC"'
            raise Refused(refusal)

    def soap(self, request: Request) -> Response:
        with self._turn:
            try:
                return self._answer(*read_request(request.get_data()))
            except SoapFault as problem:
                return fault(problem)

    def _answer(self, name: str, asked: Any) -> Response:
        self.asked.append(name)
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
                parts = self._records(asked.find("lookupCriteria"))
            case "runReport":
                parts = self._run_report(asked)
            case "isReportRunning":
                parts = self._is_running(asked)
            case "getReportResult":
                parts = self._result(asked)
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
        id_field = text_of(lookup, "contactIdField") if self.habits.offers_id else ""
        names = [*([id_field] if id_field else []), *(f.name for f in FIELDS)]
        rows = found[: self.habits.record_limit]
        records = [
            record("records", [*([c.id] if id_field else []), *c.values.values()]) for c in rows
        ]
        return [element("return", [*(element("fields", name) for name in names), *records])]

    def _check_criteria(self, criteria: list[tuple[str, str]]) -> None:
        if not (criteria or self.habits.takes_no_criteria):
            raise SoapFault("MissedArgumentFault", "Lookup criteria are missing")
        for name, value in criteria:
            if not (value or self.habits.takes_empty):
                raise SoapFault("IncorrectArgumentFault", f"No value for {name}")
            if name not in {f.name for f in FIELDS}:
                told = {"fieldName": name}
                raise SoapFault("CrmFieldNotFoundFault", f'Contact field "{name}" not found', told)

    def _matches(self, contact: StoredContact, criteria: list[tuple[str, str]]) -> bool:
        return all(self._is_like(contact.values[name], value) for name, value in criteria)

    def _is_like(self, text: str | None, wanted: str) -> bool:
        if not text:
            is_any = self.habits.knows_wildcards and wanted == "%"
            return (
                self.habits.finds_empty
                if not wanted
                else is_any and self.habits.wildcard_finds_empty
            )
        if not (self.habits.knows_wildcards and "%" in wanted):
            return text == wanted
        return re.fullmatch(".*".join(map(re.escape, wanted.split("%"))), text) is not None

    def _run_report(self, asked: Any) -> list[Any]:
        folder, name = text_of(asked, "folderName"), text_of(asked, "reportName")
        if (folder, name) != (REPORT_FOLDER, REPORT_NAME):
            told = {"folder": folder, "reportName": name}
            raise SoapFault("ReportNotFoundFault", f'Report "{name}" was not found', told)
        span = asked.find("criteria/time")
        start, end = _moment(span, "start"), _moment(span, "end")
        if start > end:
            raise SoapFault("InvalidDateRangeFault", "Start has to precede end")
        identifier = f"{len(self._reports) + 1:032x}"
        rows = [_report_row(c) for c in self.domain.contacts.values() if start <= c.modified <= end]
        self._reports[identifier] = Report(
            rows[: self.habits.report_limit], self.habits.report_polls
        )
        return [element("return", identifier)]

    def _is_running(self, asked: Any) -> list[Any]:
        """A long poll of the real one answers later; here at once."""
        report = self._report(asked)
        was_running = report.polls > 0
        report.polls = max(0, report.polls - 1)
        return [element("return", was_running)]

    def _result(self, asked: Any) -> list[Any]:
        report = self._report(asked)
        if report.polls:
            raise SoapFault("ResultIsNotReadyFault", "Result is not ready")
        header = record("header", [name.upper() for name in REPORT_FIELDS])
        return [element("return", [header, *(record("records", row) for row in report.rows)])]

    def _report(self, asked: Any) -> Report:
        found = self._reports.get(text_of(asked, "identifier"))
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
