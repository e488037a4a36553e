"""CallRail's sandbox: masked ids, three months of calls, tags only when requested."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf, began_on
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

API_KEY, ACCOUNT = "sandbox-callrail-key", "ACC8154748ae6bd4e278a7cddd38a662f4f"
RETENTION = timedelta(days=761)
DEFAULT_PER_PAGE, MAX_PER_PAGE = 100, 250
HOME = timezone(timedelta(hours=-7))
SOURCES = ("google_paid", "google_my_business", "direct")
OPTIONAL_CALL_FIELDS = ("tags", "value", "note", "lead_status", "company_id", "tracker_id")
WITHOUT_TOTALS = ("trackers", "tags", "users")

Row = dict[str, Any]


class CallRailSandbox(WebSandbox):
    """``rows`` calls to a handful of companies."""

    name = "callrail"
    routes = Map(
        [
            Rule("/a.json", endpoint="accounts", methods=["GET"]),
            Rule(f"/a/{ACCOUNT}/calls.json", endpoint="calls", methods=["GET"]),
            Rule(f"/a/{ACCOUNT}/integrations.json", endpoint="integrations", methods=["GET"]),
            Rule(
                f"/a/{ACCOUNT}/<any(companies,trackers,users,tags):kind>.json",
                endpoint="whole_list",
                methods=["GET"],
            ),
            Rule(
                f"/a/{ACCOUNT}/<any(calls,companies,trackers,users,integrations):kind>/<row_id>.json",
                endpoint="single",
                methods=["GET"],
            ),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(1000, 3600), RequestRate(10_000, 86_400))
        self._random = random.Random(f"callrail {conf.seed}")
        self._made = 0
        began = began_on(conf)
        self._rows: dict[str, list[Row]] = {
            "companies": [self._company(n) for n in range(max(2, conf.rows // 60))]
        }
        self._rows["trackers"] = [self._tracker(n) for n in range(max(3, conf.rows // 20))]
        self._rows["users"] = [self._user(n) for n in range(max(2, conf.rows // 30))]
        self._rows["tags"] = [self._tag(n) for n in range(6)]
        self._rows["integrations"] = [
            row for company in self._rows["companies"] for row in self._integrations(company)
        ]
        step = timedelta(days=88) / max(conf.rows, 1)
        start = began - timedelta(days=90)
        self._rows["calls"] = [self._call(start + n * step) for n in range(conf.rows)]

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "CALLRAIL_BASE_URL": base_url,
            "CALLRAIL_API_KEY": API_KEY,
            "CALLRAIL_ACCOUNT_ID": ACCOUNT,
        }

    def counts(self) -> dict[str, int]:
        direct = ("calls", "companies", "trackers", "users", "tags")
        hooks = [row for row in self._rows["integrations"] if row["type"] == "Webhooks"]
        return {
            **{name: len(self._rows[name]) for name in direct},
            "call_tags": sum(len(call["tags"]) for call in self._rows["calls"]),
            "integrations": len(self._rows["integrations"]),
            "webhooks": len(hooks),
        }

    def tick(self, at: datetime) -> dict[str, int]:
        """New calls, late edits of recent ones, and one that was flagged as spam and vanishes."""
        few = max(1, self.conf.rows // 20)
        calls = self._rows["calls"]
        recent = calls[-max(few + 1, 2) :]
        spam, *edited = self._random.sample(recent, min(len(recent), few + 1))
        calls.remove(spam)
        for call in edited:
            call |= {"note": f"listened at {at:%H:%M:%S}", "lead_status": "good_lead"}
            call["tags"] = self._random.sample(self._rows["tags"], self._random.randrange(3))
        calls.extend(self._call(at - timedelta(minutes=few - n)) for n in range(few))
        self._rows["companies"][0]["name"] = f"Company renamed {at:%H%M%S}"
        gone = self._rows["users"].pop()
        self._rows["users"].append(self._user(int(gone["id"][3:8]) + 1))
        return {"created": few + 1, "updated": len(edited) + 1, "deleted": 2}

    def admit(self, request: Request) -> None:
        # As the reference shows it, and as Airbyte's connector sends it.
        if request.headers.get("Authorization") not in (
            f'Token token="{API_KEY}"',
            f"Token token={API_KEY}",
        ):
            raise Refused(json_answer({"error": "HTTP Token: Access denied."}, 401))
        if self.over_rate():
            raise Refused(json_answer({"error": "Rate limit exceeded"}, 429))

    def not_found(self, request: Request) -> Response:
        return json_answer({"error": "Not Found"}, 404)

    def bad_request(self, request: Request) -> Response:
        return json_answer({"error": "Bad Request"}, 400)

    def accounts(self, _request: Request) -> Response:
        return json_answer({"accounts": [{"id": ACCOUNT, "name": "Sandbox"}]})

    def calls(self, request: Request) -> Response:
        """The last thirty days by default; a start beyond the retention is an error."""
        today = datetime.now(UTC).date()
        first = _day(request, "start_date", today - timedelta(days=30))
        last = _day(request, "end_date", today + timedelta(days=1))
        if first < today - RETENTION:
            return json_answer({"error": "start_date is beyond the retention period"}, 400)
        fields = request.args.get("fields", "").split(",")
        found = [
            _shown(call, fields)
            for call in self._rows["calls"]
            if first <= date.fromisoformat(call["start_time"][:10]) <= last
        ]
        if request.args.get("relative_pagination") == "true":
            return self._relative(request, found)
        return self._page(request, "calls", found)

    def integrations(self, request: Request) -> Response:
        company = request.args.get("company_id")
        if company is None:
            return json_answer({"error": "company_id is required"}, 400)
        found = [row for row in self._rows["integrations"] if row["company"] == company]
        shown = [{k: v for k, v in row.items() if k != "company"} for row in found]
        return self._page(request, "integrations", shown)

    def whole_list(self, request: Request, kind: str) -> Response:
        return self._page(request, kind, self._rows[kind])

    def single(self, request: Request, kind: str, row_id: str) -> Response:
        fields = request.args.get("fields", "").split(",")
        for row in self._rows[kind]:
            if str(row["id"]) == row_id:
                shown = _shown(row, fields) if kind == "calls" else row
                hidden = {"company"} if kind == "integrations" else set()
                return json_answer({n: v for n, v in shown.items() if n not in hidden})
        return self.not_found(request)

    def _relative(self, request: Request, found: list[Row]) -> Response:
        offset, per_page = int(request.args.get("offset", 0)), _per_page(request)
        after = offset + per_page
        query = urlencode({**request.args, "offset": after})
        has_next = after < len(found)
        following = f"{request.base_url}?{query}" if has_next else None
        body = {
            "calls": found[offset:after],
            "next_page": following,
            "has_next_page": has_next,
        }
        return _linked(json_answer(body), following)

    def _page(self, request: Request, kind: str, found: list[Row]) -> Response:
        page, per_page = max(1, int(request.args.get("page", 1))), _per_page(request)
        body: Row = {"page": page, "per_page": per_page, "total_records": len(found)}
        if kind not in WITHOUT_TOTALS:
            body["total_pages"] = max(1, -(-len(found) // per_page))
        answer = json_answer({**body, kind: found[(page - 1) * per_page : page * per_page]})
        following = urlencode({**request.args, "page": page + 1})
        has_next = page * per_page < len(found)
        return _linked(answer, f"{request.base_url}?{following}" if has_next else None)

    def _company(self, number: int) -> Row:
        return {
            "id": f"COM{number:05d}ae6bd4e278",
            "name": f"Company {number}",
            "status": "disabled" if number % 5 == 4 else "active",
            "time_zone": "America/Denver",
            "created_at": "2026-02-10T08:43:51.280Z",
            "disabled_at": None,
            "dni_active": True,
            "script_url": "//cdn.example.com/swap.js",
            "callscore_enabled": False,
            "lead_scoring_enabled": True,
            "callscribe_enabled": True,
            "form_capture": True,
            "swap_exclude_jquery": None,
            "swap_cookie_duration": 6,
        }

    def _tracker(self, number: int) -> Row:
        company = self._random.choice(self._rows["companies"])
        return {
            "id": f"TRK{number:05d}4748ae6bd4",
            "name": f"Tracker {number}",
            "type": self._random.choice(("source", "session")),
            "status": "active",
            "destination_number": self._phone(),
            "tracking_numbers": [self._phone()],
            "whisper_message": "",
            "sms_supported": True,
            "sms_enabled": self._random.random() < 0.5,
            "company": {"id": company["id"], "name": company["name"]},
            "source": {"type": self._random.choice(SOURCES)},
            "call_flow": {"type": "basic", "recording_enabled": True},
        }

    def _user(self, number: int) -> Row:
        return {
            "id": f"USR{number:05d}54748ae6bd",
            "email": f"user{number}@example.com",
            "first_name": "José",
            "last_name": f"No. {number}",
            "name": f"José No. {number}",
            "role": self._random.choice(("admin", "reporting")),
            "accepted": True,
            "created_at": "2026-02-10T03:43:50.798-05:00",
            "companies": [{"id": c["id"]} for c in self._rows["companies"][:2]],
        }

    def _tag(self, number: int) -> Row:
        return {
            "id": 7_886_700 + number,
            "name": ("Opportunity", "Spam", "Set", "Repair", "New", "Old")[number],
            "tag_level": "account",
            "color": "gray1",
            "background_color": "gray1",
            "company_id": None,
            "status": "enabled",
            "created_at": "2026-01-02T03:04:05.000Z",
        }

    def _integrations(self, company: Row) -> list[Row]:
        number = 1000 + 2 * self._rows["companies"].index(company)
        hooks = {"post_call_webhook": ["https://hooks.example.com/a"], "form_captured_webhook": []}
        common = {"company": company["id"], "state": "active", "signing_key": "signing-secret"}
        return [
            {"id": number, "type": "Webhooks", "config": hooks, **common},
            {"id": number + 1, "type": "Custom", "config": {"grab_cookies": True}, **common},
        ]

    def _phone(self) -> str:
        return f"+1303555{self._random.randrange(10_000):04d}"

    def _call(self, at: datetime) -> Row:
        draw, self._made = self._random, self._made + 1
        began = at.astimezone(HOME)
        tracker = draw.choice(self._rows["trackers"])
        took = draw.randrange(0, 900)
        return {
            "id": f"CAL{self._made:08d}ae6bd4",
            "answered": took > 10,
            "business_phone_number": tracker["destination_number"],
            "customer_city": "Denver",
            "customer_country": "US",
            "customer_name": draw.choice(("LEE PAT", "O'NEIL ZOË", "")),
            "customer_phone_number": self._phone(),
            "customer_state": "CO",
            "direction": draw.choice(("inbound", "outbound")),
            "duration": took,
            "recording": None,
            "recording_duration": str(took),
            "recording_player": None,
            "start_time": began.isoformat(timespec="milliseconds"),
            "tracking_phone_number": tracker["tracking_numbers"][0],
            "voicemail": took <= 10,
            "agent_email": None,
            "company_id": tracker["company"]["id"],
            "tracker_id": tracker["id"],
            "lead_status": draw.choice((None, "good_lead", "not_a_lead")),
            "value": draw.choice((None, "$1.00", "$12,400.50")),
            "note": None,
            "tags": draw.sample(self._rows["tags"], draw.randrange(3)),
        }


def _shown(call: Row, fields: list[str]) -> Row:
    return {k: v for k, v in call.items() if k not in OPTIONAL_CALL_FIELDS or k in fields}


def _linked(answer: Response, following: str | None) -> Response:
    """With the header by which Airbyte's connector finds the next page."""
    if following:
        answer.headers["Link"] = f'<{following}>; rel="next"'
    return answer


def _day(request: Request, name: str, default: date) -> date:
    text = request.args.get(name)
    return date.fromisoformat(text[:10]) if text else default


def _per_page(request: Request) -> int:
    return min(int(request.args.get("per_page", DEFAULT_PER_PAGE)), MAX_PER_PAGE)


SANDBOX = CallRailSandbox
