"""LeadConduit's sandbox: events of leads, newest first by default."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf, began_on
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

API_KEY = "sandbox-leadconduit-key"
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
RETENTION = timedelta(days=90)
FLOWS = (("5fd400000000000000000001", "Sales Leads"), ("5fd400000000000000000002", "Events"))
SOURCES = (("5fd400000000000000000011", "A Corporation"), ("5fd400000000000000000012", "B Media"))
PEOPLE = (("Pat", "Lee"), ("Dana", "Reyes"), ("Sam", "Roe"), ("Zoë", "O'Neil"), ("José", "Núñez"))
CITIES = (("Denver", "CO", "80202"), ("Boston", "MA", "02108"), ("Franklin", "TN", "37064"))

Event = dict[str, Any]


class LeadConduitSandbox(WebSandbox):
    """``rows`` leads of the last sixty days, each with its source event and what led to it."""

    name = "leadconduit"
    routes = Map([Rule("/events", endpoint="events", methods=["GET"])])

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(300, 60),)
        self._random = random.Random(f"leadconduit {conf.seed}")
        self._made = 0
        today = began_on(conf)
        span = timedelta(days=60) / max(conf.rows, 1)
        self._events: list[Event] = []
        for row in range(conf.rows):
            self._add_lead(today - timedelta(days=61) + row * span)

    def settings(self, base_url: str) -> dict[str, str]:
        return {"LEADCONDUIT_BASE_URL": base_url, "LEADCONDUIT_API_KEY": API_KEY}

    def counts(self) -> dict[str, int]:
        return {"leads": sum(1 for e in self._retained() if e["type"] == "source")}

    def tick(self, at: datetime) -> dict[str, int]:
        """New leads only: an event never changes, and it is gone after the retention."""
        new = max(1, self.conf.rows // 20)
        for row in range(new):
            self._add_lead(at + timedelta(milliseconds=row))
        return {"created": new, "updated": 0, "deleted": 0}

    def admit(self, request: Request) -> None:
        login = request.authorization
        if login is None or login.type != "basic" or login.password != API_KEY:
            message = "Authorization information is missing or invalid"
            raise Refused(json_answer({"message": message}, 401))
        if self.over_rate():
            raise Refused(json_answer({"message": "Too many requests"}, 429))

    def bad_request(self, request: Request) -> Response:
        return json_answer({"message": "Bad Request"}, 400)

    def events(self, request: Request) -> Response:
        query = request.args
        found = [e for e in self._retained() if _matches(e, json.loads(query.get("rules", "[]")))]
        if after := query.get("after_id"):
            found = [e for e in found if e["id"] > after]
        if before := query.get("before_id"):
            found = [e for e in found if e["id"] < before]
        if start := query.get("start"):
            found = [e for e in found if e["start_timestamp"] >= _ms(start)]
        if end := query.get("end"):
            found = [e for e in found if e["start_timestamp"] <= _ms(end)]
        found.sort(key=lambda e: e["id"], reverse=query.get("sort", "desc") != "asc")
        return json_answer(found[: min(int(query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)])

    def _retained(self) -> list[Event]:
        oldest = (datetime.now(UTC) - RETENTION).timestamp() * 1000
        return [e for e in self._events if e["start_timestamp"] >= oldest]

    def _next_id(self, at: datetime) -> str:
        self._made += 1
        return f"{int(at.timestamp()):08x}5a4db0{self._made:010x}"

    def _add_lead(self, at: datetime) -> None:
        lead_id = self._next_id(at)
        variables = self._variables(lead_id, at)
        for kind in ("filter", "recipient", "source"):
            self._events.append(self._event(kind, at, variables))

    def _variables(self, lead_id: str, at: datetime) -> dict[str, Any]:
        draw = self._random
        first, last = draw.choice(PEOPLE)
        city, state, postal_code = draw.choice(CITIES)
        phone = f"303555{draw.randrange(10_000):04d}"
        rich = {"raw": phone, "normal": phone, "valid": True, "type": "mobile"}
        lead = {
            "id": lead_id,
            "first_name": first,
            "last_name": last,
            "email": None if draw.random() < 0.1 else f"{first}.{last}@example.com".lower(),
            "phone_1": rich if draw.random() < 0.5 else phone,
            "city": city,
            "state": state,
            "postal_code": postal_code,
        }
        flow, source = draw.choice(FLOWS), draw.choice(SOURCES)
        return {
            "lead": {name: value for name, value in lead.items() if value is not None},
            "flow": {"id": flow[0], "name": flow[1]},
            "source": {"id": source[0], "name": source[1]},
            "submission": {"timestamp": at.isoformat(timespec="milliseconds")},
        }

    def _event(self, kind: str, at: datetime, variables: dict[str, Any]) -> Event:
        draw = self._random
        started, took = int(at.timestamp() * 1000), draw.randrange(50, 3000)
        event: Event = {
            "id": self._next_id(at),
            "type": kind,
            "outcome": draw.choices(("success", "failure", "error"), (8, 2, 1))[0],
            "reason": None,
            "host": "sandbox",
            "start_timestamp": started,
            "end_timestamp": started + took,
            "ms": took,
            "wait_ms": took // 2,
            "overhead_ms": 40,
            "lag_ms": 12,
            "total_ms": took + 10,
            "handler_version": "5.1.0",
            "version": "2.0.0",
            "module_id": "leadconduit-default.inbound.standard",
            "package_version": "2.9.14",
            "cap_reached": False,
            "ping_limit_reached": False,
            "step_count": 3,
            "expires_at": (at + RETENTION).isoformat(timespec="milliseconds"),
            "cost": draw.choice((0, 25, 12.5)),
            "purchase_price": draw.choice((0, 25)),
            "recipient_revenue": 0,
            "vars": variables,
        }
        if kind == "recipient":
            event["trustedform"] = {"outcome": "success", "age_seconds": draw.randrange(90)}
        elif kind == "source":
            event["appended"] = {"trustedform": {"outcome": "success"}}
            event["source_caps"] = []
        return event


def _matches(event: Event, rules: list[dict[str, Any]]) -> bool:
    return all(str(event.get(rule["lhv"])) == str(rule["rhv"]) for rule in rules)


def _ms(when: str) -> float:
    return datetime.fromisoformat(when).timestamp() * 1000


SANDBOX = LeadConduitSandbox
