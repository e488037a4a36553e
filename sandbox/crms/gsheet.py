"""Google Sheets' sandbox: a token server, Drive's file facts and tabs full of ragged rows."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

ACCOUNT = "reader@sandbox.example.com"
TOKEN = "sandbox-gsheet-token"  # noqa: S105 - opens nothing but the sandbox
LEADS_ID, SPENDS_ID = "sandbox-leads-sheet", "sandbox-spends-sheet"
LEADS_TAB, SPENDS_TAB = "Leads", "All Marketing Spend"
BEGIN = datetime(2026, 1, 8, 9, 12, 44, tzinfo=UTC)
# A1 notation: a whole tab, its rows, its columns, or a part of it; quotes are doubled in a name.
RANGE = re.compile(
    r"(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^'!]+))"
    r"(?:!(?P<left>[A-Z]{0,3})(?P<first>\d*)(?::(?P<right>[A-Z]{0,3})(?P<last>\d*))?)?"
)
OPTIONS = {
    "valueRenderOption": ("FORMATTED_VALUE", "UNFORMATTED_VALUE"),
    "dateTimeRenderOption": ("FORMATTED_STRING", "SERIAL_NUMBER"),
    "majorDimension": ("ROWS", "COLUMNS"),
}

LEAD_HEADERS = [
    "first_name",
    "last_name",
    "phone_number",
    "email_address",
    "created_at",
    "utm_campaign",
    "division",
    "form_submit_zipcode",
    "lead_set",
    "hold_time",
    "call_attempts",
    "Appt Date-Time",
    "Set Appt Date",
    "Total Job Value",
    "",
    "keyword",
    "keyword",
]
SPEND_HEADERS = [
    "Date",
    "Cost",
    "Division",
    "Channel",
    "Campaign",
    "Campaign ID",
    "Campaign Type",
    "event_start_date",
    "event_end_date",
    "event_fee",
    "event_labor_cost",
]
DIVISIONS = ("Nashville", "Denver", "Boston")

Rows = list[list[str]]
DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone
SHOWN_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S")


@dataclass(frozen=True)
class Range:
    """Numbers begin with 1; ``None`` is open."""

    tab: str
    first_row: int = 1
    last_row: int | None = None
    first_column: int = 1
    last_column: int | None = None

    @classmethod
    def of(cls, place: str) -> Range | None:
        """None for what is no range."""
        match = RANGE.fullmatch(place)
        if match is None:
            return None
        tab = match["plain"] or match["quoted"].replace("''", "'")
        left, right, first, last = match.group("left", "right", "first", "last")
        if left is None:
            return cls(tab)
        if not left and not first:
            return None
        if right is None:  # one cell
            right, last = left, first
        columns = _column(left) or 1, _column(right)
        return cls(tab, int(first or 1), int(last) if last else None, *columns)

    def cells(self, rows: Rows) -> list[list[Any]]:
        """Without empty rows and cells at the end, as the API answers."""
        part = rows[self.first_row - 1 : self.last_row]
        found = [_ragged(row[self.first_column - 1 : self.last_column]) for row in part]
        while found and not found[-1]:
            found.pop()
        return [list(row) for row in found]


def _column(letters: str | None) -> int | None:
    """A is 1, AA is 27."""
    if not letters:
        return None
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _tab_facts(number: int, title: str, rows: Rows) -> dict[str, Any]:
    grid = {"rowCount": len(rows) + 50, "columnCount": max(map(len, rows))}
    return {
        "sheetId": number,
        "title": title,
        "index": number,
        "sheetType": "GRID",
        "gridProperties": grid,
    }


class GsheetSandbox(WebSandbox):
    """``rows`` leads and half as many spends."""

    name = "gsheet"
    login_paths = frozenset({"/token"})
    routes = Map(
        [
            Rule("/token", endpoint="token", methods=["POST"]),
            Rule("/drive/v3/files/<file_id>", endpoint="drive_file", methods=["GET"]),
            Rule("/v4/spreadsheets/<file_id>", endpoint="spreadsheet", methods=["GET"]),
            Rule("/v4/spreadsheets/<file_id>/values/<path:place>", endpoint="values"),
            Rule("/v4/spreadsheets/<file_id>/values:batchGet", endpoint="several_values"),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(300, 60),)
        self._random = random.Random(f"gsheet {conf.seed}")
        self._key = _private_key(conf.data_dir / "service-account.pem")
        self._made = 0
        self._tabs: dict[tuple[str, str], Rows] = {
            (LEADS_ID, LEADS_TAB): [LEAD_HEADERS, *(self._lead() for _ in range(conf.rows))],
            (SPENDS_ID, SPENDS_TAB): [
                SPEND_HEADERS,
                *(self._spend() for _ in range(conf.rows // 2)),
            ],
        }
        leads = self._tabs[LEADS_ID, LEADS_TAB]
        leads.insert(len(leads) // 2, [])  # people leave gaps
        leads.append(list(leads[-1]))  # and paste a row twice
        self._modified = {LEADS_ID: BEGIN, SPENDS_ID: BEGIN}

    def settings(self, base_url: str) -> dict[str, str]:
        account = {
            "type": "service_account",
            "client_email": ACCOUNT,
            "token_uri": f"{base_url}/token",
            "private_key": self._key,
        }
        return {
            "GSHEET_BASE_URL": base_url,
            "GSHEET_SERVICE_ACCOUNT": json.dumps(account),
            "GSHEET_LEADS_SPREADSHEET_ID": LEADS_ID,
            "GSHEET_SPENDS_SPREADSHEET_ID": SPENDS_ID,
        }

    def counts(self) -> dict[str, int]:
        filled = {key: sum(1 for r in rows[1:] if any(r)) for key, rows in self._tabs.items()}
        return {
            "leads": filled[LEADS_ID, LEADS_TAB],
            "spends": filled[SPENDS_ID, SPENDS_TAB],
        }

    def tick(self, at: datetime) -> dict[str, int]:
        """Rows are added at the end, changed in place and taken out of the middle."""
        few = max(1, self.conf.rows // 20)
        for (file_id, _), rows in self._tabs.items():
            new = self._lead if file_id == LEADS_ID else self._spend
            filled = [n for n, row in enumerate(rows) if n and any(row)]
            for number in self._random.sample(filled, min(few, len(filled))):
                rows[number] = [*rows[number][:6], f"Changed {at:%H%M%S}", *rows[number][7:]]
            del rows[self._random.choice(filled)]
            rows.extend(new() for _ in range(few))
            self._modified[file_id] = at
        return {"created": 2 * few, "updated": 2 * few, "deleted": 2}

    def admit(self, request: Request) -> None:
        if request.path == "/token":
            return
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            message = "Request had invalid authentication credentials."
            raise Refused(_error(401, "UNAUTHENTICATED", message))
        if self.over_rate():
            message = (
                "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per "
                "minute per user' of service 'sheets.googleapis.com'"
            )
            raise Refused(_error(429, "RESOURCE_EXHAUSTED", message))

    def not_found(self, request: Request) -> Response:
        return _error(404, "NOT_FOUND", "Requested entity was not found.")

    def bad_request(self, request: Request) -> Response:
        return _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")

    def token(self, request: Request) -> Response:
        """Checks the signed JWT as the real token server does."""
        try:
            claims = jwt.decode(request.form["assertion"], certs=self._public_key())  # type: ignore[no-untyped-call]
        except ValueError:
            return json_answer({"error": "invalid_grant", "error_description": "Bad JWT"}, 400)
        if claims["iss"] != ACCOUNT or "spreadsheets.readonly" not in claims["scope"]:
            return json_answer({"error": "unauthorized_client"}, 401)
        return json_answer({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})

    def drive_file(self, request: Request, file_id: str) -> Response:
        if file_id not in self._modified:
            return self.not_found(request)
        modified = self._modified[file_id].astimezone(UTC).isoformat(timespec="milliseconds")
        return json_answer({"id": file_id, "name": file_id, "modifiedTime": modified})

    def spreadsheet(self, request: Request, file_id: str) -> Response:
        tabs = [(tab, rows) for (owner, tab), rows in self._tabs.items() if owner == file_id]
        if not tabs:
            return self.not_found(request)
        if request.args.get("includeGridData", "false") != "false":
            return _error(400, "INVALID_ARGUMENT", "The sandbox has no grid data; ask for values.")
        sheets = [{"properties": _tab_facts(number, *tab)} for number, tab in enumerate(tabs)]
        properties = {"title": file_id, "locale": "en_US", "timeZone": "America/Chicago"}
        body = {"spreadsheetId": file_id, "properties": properties, "sheets": sheets}
        return json_answer(body)

    def values(self, request: Request, file_id: str, place: str) -> Response:
        return json_answer(self._range(request, file_id, place))

    def several_values(self, request: Request, file_id: str) -> Response:
        ranges = [self._range(request, file_id, r) for r in request.args.getlist("ranges")]
        return json_answer({"spreadsheetId": file_id, "valueRanges": ranges})

    def _range(self, request: Request, file_id: str, place: str) -> dict[str, Any]:
        if not any(owner == file_id for owner, _ in self._tabs):
            raise Refused(self.not_found(request))
        found, rows = Range.of(place), None
        if found is not None:
            rows = self._tabs.get((file_id, found.tab))
        if found is None or rows is None:
            raise Refused(_error(400, "INVALID_ARGUMENT", f"Unable to parse range: {place}"))
        options = {name: request.args.get(name) for name in OPTIONS}
        for name, value in options.items():
            if value not in (None, *OPTIONS[name]):
                raise Refused(_error(400, "INVALID_ARGUMENT", f"Invalid value at '{name}'"))
        cells = found.cells(rows)
        if options["valueRenderOption"] == "UNFORMATTED_VALUE":
            headers = 1 if found.first_row == 1 else 0
            cells = [*cells[:headers], *([held(c) for c in row] for row in cells[headers:])]
        if options["majorDimension"] == "COLUMNS":
            cells = [list(column) for column in zip_longest(*cells, fillvalue="")]
        body = {"range": place, "majorDimension": options["majorDimension"] or "ROWS"}
        return {**body, "values": cells} if cells else body

    def _public_key(self) -> str:
        key = serialization.load_pem_private_key(self._key.encode(), password=None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def _lead(self) -> list[str]:
        draw, self._made = self._random, self._made + 1
        at = BEGIN + timedelta(hours=5 * self._made)
        was_set = draw.random() < 0.5
        visit = f"{at + timedelta(days=4):%-m/%-d/%Y %H:%M}" if was_set else ""
        return [
            draw.choice(("Dana", "Zoë", "=Pat")),
            draw.choice(("Reyes", "O'Neil", "<b>Lee</b>")),
            f"0{draw.randrange(10**9):09d}",
            f"lead{self._made}@example.com",
            f"{at:%-m/%-d/%Y %-H:%M:%S}",
            "windows-search",
            draw.choice(DIVISIONS),
            draw.choice(("02108", "37064", "07102")),
            "Yes" if was_set else "No",
            str(draw.randrange(300)),
            str(draw.randrange(9)),
            visit,
            visit.split(" ")[0],
            f"${draw.randrange(1000, 30000):,}.00" if was_set else "",
            "note" if draw.random() < 0.2 else "",
            "windows" if draw.random() < 0.5 else "",
            "roof" if draw.random() < 0.3 else "",
        ]

    def _spend(self) -> list[str]:
        draw, self._made = self._random, self._made + 1
        at = BEGIN + timedelta(days=draw.randrange(300))
        is_event = draw.random() < 0.3
        row = [
            f"{at:%Y-%m-%d}",
            f"${draw.randrange(100, 500000) / 100:,.2f}",
            draw.choice(DIVISIONS),
            draw.choice(("Google Ads", "Meta", "Events")),
            f"Campaign {self._made}",
            f"{draw.randrange(10**6):06d}",
            "Event" if is_event else "Search",
        ]
        event = [f"{at:%Y-%m-%d}", f"{at + timedelta(days=2):%Y-%m-%d}", "$500.00", "$120.50"]
        return row + (event if is_event else [])


def held(shown: str) -> object:
    """The value beneath a cell: a number, days since 1899-12-30, or the text that is shown."""
    if re.fullmatch(r"0|[1-9]\d*", shown):
        return int(shown)
    if re.fullmatch(r"\$[\d,]+\.\d\d", shown):
        return float(shown[1:].replace(",", ""))
    for form in SHOWN_DATES:
        try:
            serial = (datetime.strptime(shown, form) - DAY_ZERO) / timedelta(days=1)  # noqa: DTZ007
        except ValueError:
            continue
        return int(serial) if serial.is_integer() else serial
    return shown


def _ragged(row: list[str]) -> list[str]:
    """As the API answers: without the empty cells at the end."""
    cut = len(row)
    while cut and not row[cut - 1]:
        cut -= 1
    return row[:cut]


def _error(status: int, name: str, message: str) -> Response:
    return json_answer({"error": {"code": status, "message": message, "status": name}}, status)


def _private_key(path: Path) -> str:
    """The account's key, made once: a restart must not make the settings useless."""
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        path.touch(mode=0o600)
        path.write_bytes(pem)
    return path.read_text()


SANDBOX = GsheetSandbox
