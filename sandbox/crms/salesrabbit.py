"""SalesRabbit's sandbox: leads and users, changes by ``If-Modified-Since``."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

TOKEN = "sandbox-salesrabbit-token"  # noqa: S105 - opens nothing but the sandbox
BEGIN = datetime(2025, 7, 4, tzinfo=UTC)
MAX_PER_PAGE = 2000
FIRST_USER, FIRST_LEAD = 900_000_001, 20_001
STATUSES = ("Not Home", "Go Back", "Appointment Set", "Not Interested", "Sold")
PLACES = (("Denver", "CO", "80222"), ("Boston", "MA", "02108"), ("Newark", "NJ", "07102"))

Row = dict[str, Any]


class SalesRabbitSandbox(WebSandbox):
    """``rows`` leads, knocked on by a twentieth as many users."""

    name = "salesrabbit"
    routes = Map(
        [
            Rule("/leads", endpoint="leads", methods=["GET"]),
            Rule("/users", endpoint="users", methods=["GET"]),
            Rule("/<any(leads,users):kind>/<int:row_id>", endpoint="single", methods=["GET"]),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(300, 60),)
        self._random = random.Random(f"salesrabbit {conf.seed}")
        users = max(2, conf.rows // 20)
        self._users = {FIRST_USER + n: self._user(FIRST_USER + n) for n in range(users)}
        self._next_lead = FIRST_LEAD
        self._leads: dict[int, Row] = {}
        for row in range(conf.rows):
            self._add_lead(BEGIN + timedelta(minutes=37 * row))

    def settings(self, base_url: str) -> dict[str, str]:
        return {"SALESRABBIT_BASE_URL": base_url, "SALESRABBIT_API_TOKEN": TOKEN}

    def counts(self) -> dict[str, int]:
        gone = sum(1 for lead in self._leads.values() if lead["deletedAt"])
        return {"users": len(self._users), "leads": len(self._leads) - gone}

    def tick(self, at: datetime) -> dict[str, int]:
        """New and changed leads; of two that go, one is reported as deleted and one is not."""
        few = max(1, self.conf.rows // 20)
        present = [lead for lead in self._leads.values() if not lead["deletedAt"]]
        drawn = self._random.sample(present, min(len(present), few + 2))
        reported, dropped, changed = drawn[0], drawn[1], drawn[2:]
        reported |= {"deletedAt": _text(at), "dateModified": _text(at)}
        del self._leads[dropped["id"]]
        for lead in changed:
            lead |= {"status": self._random.choice(STATUSES), "notes": f"again at {_text(at)}"}
            lead |= {"statusModified": _text(at), "dateModified": _text(at)}
        for _ in range(few):
            self._add_lead(at)
        user = self._random.choice(list(self._users.values()))
        user |= {"active": not user["active"], "dateModified": _text(at)}
        return {"created": few, "updated": len(changed) + 1, "deleted": 2}

    def admit(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(json_answer({"message": "Unauthorized"}, 401))
        if self.over_rate():
            raise Refused(json_answer({"message": "Too Many Requests"}, 429, Retry_After="1"))

    def bad_request(self, request: Request) -> Response:
        return json_answer({"message": "Bad Request"}, 400)

    def leads(self, request: Request) -> Response:
        since = _since(request)
        found = [x for x in self._leads.values() if since is None or _at(x) > since]
        if since is not None and not found:
            return Response(status=304)
        page = max(1, int(request.args.get("page", 1)))
        per_page = min(int(request.args.get("perPage", MAX_PER_PAGE)), MAX_PER_PAGE)
        cut = found[(page - 1) * per_page : page * per_page]
        has_more = page * per_page < len(found)
        return json_answer({"data": cut, "meta": {"morePages": has_more}})

    def users(self, request: Request) -> Response:
        """All of them on every page, as the real API was seen to do."""
        return json_answer({"data": list(self._users.values()), "meta": {"morePages": True}})

    def single(self, _request: Request, kind: str, row_id: int) -> Response:
        row = (self._leads if kind == "leads" else self._users).get(row_id)
        return (
            json_answer({"message": "Not Found"}, 404)
            if row is None
            else json_answer({"data": row})
        )

    def _user(self, number: int) -> Row:
        return {
            "id": number,
            "firstName": "Rep",
            "lastName": f"No. {number - FIRST_USER + 1}",
            "email": f"rep{number}@example.com",
            "phone": f"303555{number % 10_000:04d}",
            "role": self._random.choice(("Rep", "Manager")),
            "active": self._random.random() < 0.9,
            "orgId": 12,
            "office": "Denver",
            "team": self._random.choice(("North", "South")),
            "region": "CO",
            "department": "Sales",
            "businessUnit": "Roofing",
            "supervisorId": None if number == FIRST_USER else FIRST_USER,
            "recruiterId": None,
            "hireDate": "2020-05-01",
            "photoUrl": None,
            "externalIds": [],
            "dateCreated": "2020-05-01T00:00:00+00:00",
            "dateModified": _text(BEGIN),
        }

    def _add_lead(self, at: datetime) -> None:
        draw, number = self._random, self._next_lead
        self._next_lead += 1
        city, state, postal_code = draw.choice(PLACES)
        owner = self._users[draw.choice(list(self._users))]
        fields = {"roofAge": draw.randrange(40)}
        self._leads[number] = {
            "id": number,
            "userId": owner["id"],
            "userName": f"{owner['firstName']} {owner['lastName']}",
            "firstName": draw.choice(("", "Pat", "Zoë")),
            "lastName": draw.choice(("", "Lee", "O'Neil")),
            "businessName": "",
            "phonePrimary": draw.choice(("", f"0{draw.randrange(10**9):09d}")),
            "phoneAlternate": "",
            "email": "",
            "street1": f"{draw.randrange(1, 999)} Main St",
            "street2": "",
            "city": city,
            "state": state,
            "zip": postal_code,
            "country": "USA",
            "latitude": round(39 + draw.random(), 6),
            "longitude": round(-105 + draw.random(), 6),
            "status": draw.choice(STATUSES),
            "statusModified": _text(at),
            "ownerModified": _text(at),
            "notes": None,
            "campaignId": None,
            "appointment": None,
            "dateOfBirth": None,
            "customFields": draw.choice(({}, [], fields, json.dumps(fields))),
            "integrationData": draw.choice(({}, [])),
            "files": [],
            "dateCreated": _text(at),
            "dateModified": _text(at),
            "deletedAt": None,
        }


def _text(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def _at(row: Row) -> datetime:
    return datetime.fromisoformat(row["dateModified"])


def _since(request: Request) -> datetime | None:
    """ISO with its offset, or an HTTP date: both were seen to work."""
    header = request.headers.get("If-Modified-Since")
    if not header:
        return None
    try:
        return datetime.fromisoformat(header)
    except ValueError:
        return parsedate_to_datetime(header)


SANDBOX = SalesRabbitSandbox
