"""Arrivy's sandbox: bare arrays, 16-digit ids, three separate sets of tasks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

AUTH_KEY, AUTH_TOKEN = "sandbox-arrivy-key", "sandbox-arrivy-token"
REQUESTS_PER_MINUTE = 600
BEGIN = datetime(2026, 1, 5, 14, tzinfo=UTC)
OWNER = 5_629_499_534_213_120
FIRST_ID = 4_500_000_000_000_000
STATUSES = ("NOTSTARTED", "ENROUTE", "STARTED", "COMPLETE", "EXCEPTION", "CANCELLED", "CONFIRMED")
PLACES = (("Denver", "CO", "80202"), ("Boston", "MA", "02108"), ("Franklin", "TN", "37064"))
DEFAULT_ITEMS = {"tasks": 500, "bookings": 100}

Row = dict[str, Any]


class ArrivySandbox(WebSandbox):
    """``rows`` tasks: most in the schedule, some unscheduled, some without a date."""

    name = "arrivy"
    routes = Map(
        [
            Rule("/tasks", endpoint="tasks", methods=["GET"]),
            Rule("/<any(tasks,customers,entities):kind>/<int:row_id>", endpoint="single"),
            Rule("/users/profile", endpoint="profile", methods=["GET"]),
            Rule("/<any(customers,entities,crews,bookings):kind>", endpoint="whole_list"),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(REQUESTS_PER_MINUTE, 60),)
        self._random = random.Random(f"arrivy {conf.seed}")
        self._made = 0
        some = max(2, conf.rows // 10)
        self._rows: dict[str, dict[int, Row]] = {
            name: {} for name in ("entities", "crews", "customers", "bookings", "tasks")
        }
        self._fill("entities", some, self._entity)
        self._fill("crews", max(1, some // 4), self._crew)
        self._fill("customers", max(2, conf.rows // 2), self._customer)
        self._fill("bookings", some, self._booking)
        for row in range(conf.rows):
            self._add_task(BEGIN + timedelta(hours=3 * row))

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "ARRIVY_BASE_URL": base_url,
            "ARRIVY_AUTH_KEY": AUTH_KEY,
            "ARRIVY_AUTH_TOKEN": AUTH_TOKEN,
            "ARRIVY_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
            "ARRIVY_HISTORY_START": "2026-01-01",
        }

    def counts(self) -> dict[str, int]:
        names = {"users": "entities", "teams": "crews"}
        models = ("bookings", "tasks", "teams", "customers", "users")
        return {model: len(self._rows[names.get(model, model)]) for model in models}

    def tick(self, at: datetime) -> dict[str, int]:
        few = max(1, self.conf.rows // 20)
        tasks = self._rows["tasks"]
        drawn = self._random.sample(sorted(tasks), min(len(tasks), few + 1))
        del tasks[drawn[0]]
        for task_id in drawn[1:]:
            status = self._random.choice(STATUSES)
            tasks[task_id] |= {"status": status, "updated": _utc(at)}
            if tasks[task_id]["start_datetime"]:
                self._place(tasks[task_id], at + timedelta(days=self._random.randrange(1, 20)))
        for _ in range(few):
            self._add_task(at + timedelta(days=3))
        customers = self._rows["customers"]
        customers[self._random.choice(sorted(customers))]["notes"] = f"called at {_utc(at)}"
        self._fill("customers", 1, self._customer)
        del self._rows["bookings"][max(self._rows["bookings"])]
        self._fill("bookings", 1, self._booking)
        return {"created": few + 2, "updated": len(drawn), "deleted": 2}

    def admit(self, request: Request) -> None:
        sent = (request.headers.get("X-Auth-Key"), request.headers.get("X-Auth-Token"))
        if sent != (AUTH_KEY, AUTH_TOKEN):
            raise Refused(json_answer({"message": "Not authorized", "code": "UNAUTHORIZED"}, 401))
        if self.over_rate():
            raise Refused(json_answer({"message": "Too many requests"}, 429))

    def bad_request(self, request: Request) -> Response:
        return json_answer({"message": "Bad request", "code": "BAD_REQUEST"}, 400)

    def profile(self, _request: Request) -> Response:
        return json_answer({"id": OWNER, "email": "office@example.com"})

    def tasks(self, request: Request) -> Response:
        rows = list(self._rows["tasks"].values())
        if request.args.get("unscheduled") == "true":
            return self._page(request, [row for row in rows if row["unscheduled"]])
        if request.args.get("tasks_with_no_datetime") == "true":
            return self._page(request, [row for row in rows if _is_undated(row)])
        placed = [row for row in rows if row["start_datetime"] and not row["unscheduled"]]
        low, high = (request.args.get(name) for name in ("from", "to"))
        if low:
            placed = [row for row in placed if row["start_datetime"] >= _utc_text(low)]
        if high:
            placed = [row for row in placed if row["start_datetime"] <= _utc_text(high)]
        return self._page(request, placed)

    def single(self, _request: Request, kind: str, row_id: int) -> Response:
        row = self._rows[kind].get(row_id)
        absent = {"message": "Not found", "code": "NOT_FOUND"}
        return json_answer(absent, 404) if row is None else json_answer(row)

    def whole_list(self, request: Request, kind: str) -> Response:
        """Customers and entities come whole, whichever page is requested."""
        rows = list(self._rows[kind].values())
        if kind in ("customers", "entities"):
            return json_answer(rows)
        return self._page(request, rows)

    def _page(self, request: Request, rows: list[Row]) -> Response:
        items = int(request.args.get("items_per_page", DEFAULT_ITEMS["tasks"]))
        page = max(1, int(request.args.get("page", 1)))
        return json_answer(rows[(page - 1) * items : page * items])

    def _fill(self, kind: str, number: int, make: Any) -> None:
        for _ in range(number):
            row = make(self._next_id())
            self._rows[kind][row["id"]] = row

    def _next_id(self) -> int:
        self._made += 1
        return FIRST_ID + self._made * 1_048_583

    def _phone(self) -> str:
        return f"+1303555{self._random.randrange(10_000):04d}"

    def _entity(self, number: int) -> Row:
        return {
            "id": number,
            "type": "Installer",
            "owner": OWNER,
            "name": self._random.choice(("Adam", "Zoë", "José")),
            "email": f"crew{number}@example.com",
            "phone": self._phone(),
            "details": "",
            "color": "008888",
            "permission": "FIELDCREW",
            "group_id": None,
            "can_turnoff_location": True,
            "is_disabled": self._random.random() < 0.1,
            "external_id": f"emp-{number % 1000:03d}",
            "extra_fields": {"k": "v"},
        }

    def _crew(self, number: int) -> Row:
        members = self._random.sample(list(self._rows["entities"].values()), 2)
        data = [{name: row[name] for name in ("id", "name", "email")} for row in members]
        return {"id": number, "name": f"Crew {number % 97}", "entities_data": data}

    def _customer(self, number: int) -> Row:
        city, state, zipcode = self._random.choice(PLACES)
        return {
            "id": number,
            "owner": OWNER,
            "first_name": self._random.choice(("Pat", "Dana", "Sam")),
            "last_name": self._random.choice(("Lee", "Reyes", "O'Neil")),
            "company_name": None,
            "email": f"c{number}@example.com",
            "phone": None,
            "mobile_number": self._phone(),
            "address_line_1": f"{self._random.randrange(1, 999)} Main St",
            "address_line_2": "",
            "city": city,
            "state": state,
            "country": "USA",
            "zipcode": zipcode,
            "exact_location": None,
            "external_id": None,
            "notes": None,
            "notifications": {"sms": True, "email": True},
            "extra_fields": None,
        }

    def _booking(self, number: int) -> Row:
        at = _utc(BEGIN + timedelta(days=self._random.randrange(300)))
        customer = self._random.choice(sorted(self._rows["customers"]))
        return {
            "id": number,
            "owner": OWNER,
            "title": f"Booking {number % 1000}",
            "customer_id": customer,
            "created": at,
            "updated": at,
        }

    def _add_task(self, at: datetime) -> None:
        draw = self._random
        customer = draw.choice(list(self._rows["customers"].values()))
        kind = draw.choices(("placed", "unscheduled", "undated"), (8, 1, 1))[0]
        task: Row = {
            "id": self._next_id(),
            "owner": OWNER,
            "title": f"{customer['last_name']} - measure",
            "details": "",
            "status": draw.choice(STATUSES),
            "template_type": "TASK",
            "start_datetime": None,
            "duration": 120,
            "unscheduled": kind == "unscheduled",
            "customer_id": customer["id"],
            "customer_first_name": customer["first_name"],
            "customer_last_name": customer["last_name"],
            "customer_zipcode": customer["zipcode"],
            "customer_exact_location": {"lat": 39.74, "lng": -104.99},
            "entity_ids": [draw.choice(sorted(self._rows["entities"]))],
            "crew_ids": [],
            "external_id": f"HS-{draw.randrange(10**6):07d}",
            "source": "hubspot",
            "extra_fields": {"k": "v"},
            "created": _utc(at - timedelta(days=7)),
            "updated": _utc(at - timedelta(days=6)),
            "created_by": OWNER,
        }
        if kind == "placed":
            self._place(task, at)
        self._rows["tasks"][task["id"]] = task

    @staticmethod
    def _place(task: Row, at: datetime) -> None:
        end = at + timedelta(hours=2)
        task |= {"start_datetime": _utc(at), "end_datetime": _utc(end)}
        task |= {"start_datetime_original_iso_str": f"{_utc(at)}-07:00"}
        task |= {"start_datetime_timezone": "America/Denver"}


def _is_undated(row: Row) -> bool:
    return not row["start_datetime"] and not row["unscheduled"]


def _utc(at: datetime) -> str:
    """UTC without an offset, as the API answers."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()


def _utc_text(moment: str) -> str:
    return _utc(datetime.fromisoformat(moment))


SANDBOX = ArrivySandbox
