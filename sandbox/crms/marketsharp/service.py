"""MarketSharp's sandbox: signed requests, OData v2 as JSON in both shapes and as Atom."""

from __future__ import annotations

import base64
import hmac
import json
import random
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.crms.marketsharp.metadata import metadata_of, names_of
from sandbox.crms.marketsharp.query import BadQuery, filter_of, moment_of, ordered
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

COMPANY_ID, USER_KEY = "9999", "sandbox-marketsharp-user"
SECRET_KEY = "c2FuZGJveC1tYXJrZXRzaGFycC1zZWNyZXQ="  # noqa: S105 - opens nothing but the sandbox
ZONE = ZoneInfo("America/Chicago")
BEGIN = datetime(2026, 1, 12, 14, 20, 11, tzinfo=UTC)
MAX_TOP, SIGNATURE_SECONDS = 5000, 900
PEOPLE = ("Contacts", "Leads", "Customers", "Prospects")
AS_ATOM, AS_BARE_LIST = ("Notes", "Surveys"), ("Companies", "ProductTypes")
CHANGING = (
    *PEOPLE,
    *[
        "Activities",
        "ActivityResults",
        "AdditionalContacts",
        "Appointments",
        "Contracts",
        "EmployeeInfoes",
    ],
    *["Employees", "FutureInterests", "Inquiries", "JobProductCommissionPayments"],
    *["JobProductCommissions", "JobProductCosts", "JobProductCostTypes", "JobProductDetails"],
    *["JobProducts", "Jobs", "Loans", "Notes", "PaymentHistories", "ProcessSteps", "Proposals"],
    *["ServiceOrders", "Surveys", "WorkCrews"],
)
STEADY = [
    "ActivityReferences",
    "Addresses",
    "AppointmentResults",
    "Companies",
    "ContactPhones",
    "ContactTypes",
    "CustomFields",
    "InquirySourcePrimaries",
    "InquirySourceSecondaries",
    "InquiryStatuses",
    "ProductDetails",
    "ProductInterests",
    "ProductTypes",
]
# Of a collection; the sandbox refuses what it would have to leave out.
OPTIONS = frozenset({"$filter", "$orderby", "$top", "$skip", "$format", "$inlinecount"})

Row = dict[str, Any]


class MarketSharpSandbox(WebSandbox):
    """``rows`` contacts; their inquiries, appointments and jobs; a few rows of every other set."""

    name = "marketsharp"
    routes = Map(
        [
            Rule("/$metadata", endpoint="metadata", methods=["GET"]),
            Rule("/<entity_set>", endpoint="entities", methods=["GET"]),
            Rule("/<entity_set>/$count", endpoint="count", methods=["GET"]),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(1200, 60),)
        self._random = random.Random(f"marketsharp {conf.seed}")
        self._rows: dict[str, list[Row]] = {}
        for entity_set in (*CHANGING, *STEADY):
            number = conf.rows if entity_set == "Contacts" else max(2, conf.rows // 10)
            rows = self._rows[entity_set] = []
            rows.extend(
                self._row(entity_set, BEGIN + timedelta(minutes=11 * n)) for n in range(number)
            )

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "MARKETSHARP_BASE_URL": base_url,
            "MARKETSHARP_COMPANY_ID": COMPANY_ID,
            "MARKETSHARP_USER_KEY": USER_KEY,
            "MARKETSHARP_SECRET_KEY": SECRET_KEY,
        }

    def counts(self) -> dict[str, int]:
        return {_model_name(name): len(rows) for name, rows in self._rows.items()}

    def tick(self, at: datetime) -> dict[str, int]:
        few = max(1, self.conf.rows // 20)
        for entity_set in ("Contacts", "Appointments", "Jobs", "Notes", "Addresses"):
            rows = self._rows[entity_set]
            for row in self._random.sample(rows, min(few, len(rows) - 1)):
                row["note"] = f"changed {at:%H:%M:%S}"
                if "lastUpdate" in row:
                    row["lastUpdate"] = _wcf(at)
            rows.pop(self._random.randrange(len(rows)))
            rows.extend(self._row(entity_set, at) for _ in range(few))
        return {"created": 5 * few, "updated": 5 * few, "deleted": 5}

    def admit(self, request: Request) -> None:
        if not _is_signed(request.headers.get("Authorization", "")):
            raise Refused(_error(401, "Unauthorized"))
        if self.over_rate():
            raise Refused(_error(503, "Service Unavailable"))

    def entities(self, request: Request, entity_set: str) -> Response:
        if entity_set not in self._rows:
            return _error(404, f"Resource not found for the segment '{entity_set}'.")
        rows = self._found(request, self._rows[entity_set])
        skip, top = (_whole_number(request, name) for name in ("$skip", "$top"))
        first = skip or 0
        cut = rows[first : first + min(MAX_TOP if top is None else top, MAX_TOP)]
        return self._in_format(request, entity_set, cut, count=len(rows))

    def metadata(self, _request: Request) -> Response:
        return Response(metadata_of(self._rows), content_type="application/xml")

    def bad_request(self, request: Request) -> Response:
        return _error(400, f"Bad Request - Error in query syntax: {request.path}")

    def _found(self, request: Request, rows: list[Row]) -> list[Row]:
        """Raises BadQuery for what is not understood."""
        if unknown := [n for n in request.args if n.startswith("$") and n not in OPTIONS]:
            raise BadQuery(", ".join(unknown))
        names = names_of(rows)
        if text := request.args.get("$filter"):
            rows = list(filter(filter_of(text, names), rows))
        return ordered(rows, request.args.get("$orderby", names[0] if names else "id"), names)

    def count(self, _request: Request, entity_set: str) -> Response:
        if entity_set not in self._rows:
            return _error(404, f"Resource not found for the segment '{entity_set}'.")
        return Response(str(len(self._rows[entity_set])), content_type="text/plain")

    def _in_format(
        self, request: Request, entity_set: str, rows: list[Row], *, count: int
    ) -> Response:
        asked = request.args.get("$format") or request.headers.get("Accept", "")
        wants_json = "json" in asked
        if entity_set in AS_ATOM or not wants_json:
            return Response(_atom(rows), content_type="application/atom+xml;charset=utf-8")
        shown = [{"__metadata": {"type": f"MarketSharp.{entity_set}"}, **row} for row in rows]
        if entity_set in AS_BARE_LIST:
            return json_answer({"d": shown})
        links = {"Address": {"__deferred": {"uri": "Address"}}}
        results: dict[str, Any] = {"results": [{**row, **links} for row in shown]}
        if request.args.get("$inlinecount") == "allpages":
            results = {"__count": str(count), **results}
        return json_answer({"d": results})

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _row(self, entity_set: str, at: datetime) -> Row:
        row = self._person() if entity_set in PEOPLE else self._facts(entity_set, at)
        key = {"contactId" if entity_set == "ContactPhones" else "id": self._id()}
        if entity_set not in CHANGING:
            return {**key, **row}
        return {**key, **row, "lastUpdate": _wcf(at), "createdDate": _wcf(at)}

    def _any_id(self, entity_set: str) -> str | None:
        rows = self._rows.get(entity_set)
        return self._random.choice(rows)["id"] if rows else None

    def _person(self) -> Row:
        draw = self._random
        return {
            "companyId": int(COMPANY_ID),
            "firstName": draw.choice(("Dana", "Zoë", "José")),
            "lastName": draw.choice(("Reyes", "O'Neil", "Lee")),
            "businessName": None,
            "email1": f"p{draw.randrange(10**6)}@example.com",
            "source": draw.choice(("Web", "Referral")),
            "isTagged": draw.random() < 0.2,
            "doNotMail": False,
            "yearHomeBuilt": draw.choice((None, 1987, 2004)),
            "isActive": True,
            "creationDate": _wcf(BEGIN),
        }

    def _facts(self, entity_set: str, at: datetime) -> Row:
        draw = self._random
        match entity_set:
            case "Inquiries":
                return {
                    "contactId": self._any_id("Contacts"),
                    "inquiryStatusId": draw.randrange(1, 9),
                    "inquiryDate": _wcf(at),
                    "note": "",
                    "isActive": True,
                }
            case "Appointments":
                return {
                    "inquiryId": self._any_id("Inquiries"),
                    "appointmentDate": _wcf(at + timedelta(days=5)),
                    "subject": "Measure",
                    "note": "asked for a call\nbefore",
                    "isActive": True,
                }
            case "Jobs":
                return {
                    "contactId": self._any_id("Contacts"),
                    "number": f"J-{draw.randrange(10**5):05d}",
                    "name": "Roof replacement",
                    "zip": draw.choice(("02108", "37064")),
                    "saleDate": _wcf(at),
                    "completedDate": None,
                    "isActive": True,
                }
            case "Notes":
                return {"contactId": self._any_id("Contacts"), "note": "cut\x1f<b>page</b> & more"}
            case "Addresses":
                return {
                    "line1": f"{draw.randrange(999)} Elm St",
                    "zip": draw.choice(("07102", "37064")),
                }
        return {"name": f"{entity_set} {draw.randrange(1000)}", "isActive": draw.random() < 0.9}


def _model_name(entity_set: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", entity_set).lower()


def _wcf(at: datetime) -> str:
    """The company's time of day, counted as if it were UTC."""
    naive = at.astimezone(ZONE).replace(tzinfo=UTC)
    return f"/Date({int(naive.timestamp() * 1000)})/"


def _is_signed(header: str) -> bool:
    from_client = header.split(":")
    is_whole = len(from_client) == 4 and from_client[2].isdecimal()
    if not is_whole or from_client[:2] != [COMPANY_ID, USER_KEY]:
        return False
    is_fresh = abs(time.time() - int(from_client[2])) < SIGNATURE_SECONDS
    return is_fresh and hmac.compare_digest(from_client[3], _signature(int(from_client[2])))


def _signature(seconds: int) -> str:
    message = f"{COMPANY_ID}{USER_KEY}{seconds}".encode()
    digest = hmac.digest(base64.b64decode(SECRET_KEY), message, "sha256")
    return base64.b64encode(digest).decode()


def _whole_number(request: Request, name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadQuery(f"{name}={text}")
    return int(text)


def _atom(rows: list[Row]) -> str:
    entries = "".join(
        f"<entry><content><m:properties>{_properties(row)}</m:properties></content></entry>"
        for row in rows
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f"{entries}</feed>"
    )


def _properties(row: Row) -> str:
    return "".join(_property(name, value) for name, value in row.items())


def _property(name: str, value: Any) -> str:
    if value is None:
        return f'<d:{name} m:null="true" />'
    if isinstance(value, bool):
        return f'<d:{name} m:type="Edm.Boolean">{json.dumps(value)}</d:{name}>'
    if isinstance(value, int):
        return f'<d:{name} m:type="Edm.Int32">{value}</d:{name}>'
    if value.startswith("/Date("):
        text = moment_of(value).replace(tzinfo=None).isoformat()
        return f'<d:{name} m:type="Edm.DateTime">{text}</d:{name}>'
    # The real service sends characters that XML forbids, as references.
    return f"<d:{name}>{escape(value).replace(chr(31), '&#x1F;')}</d:{name}>"


def _error(status: int, message: str) -> Response:
    body = {"error": {"code": "", "message": {"lang": "en-US", "value": message}}}
    return json_answer(body, status)
