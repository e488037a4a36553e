"""Leap's REST API v3."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.crms.salespro.athena import (
    ACCESS_KEY_ID,
    DATABASE,
    SECRET_ACCESS_KEY,
    Athena,
)
from sandbox.crms.salespro.records import STAGES, Records, Row
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

TOKEN = "sandbox-salespro-token"  # noqa: S105 - opens nothing but the sandbox
DEFAULT_LIMIT, MAX_LIMIT = 10, 100
REQUESTS_PER_MINUTE = 600
DATE_RANGES = {"job_updated_date": "updated_at", "appointment_updated_date": "updated_at"}


class SalesProSandbox(WebSandbox):
    """``rows`` customers, served by Leap's API and, under ``/athena``, by the data lake."""

    name = "salespro"
    routes = Map(
        [
            Rule("/workflow/stages", endpoint="stages", methods=["GET"]),
            Rule("/company/users", endpoint="users", methods=["GET"]),
            Rule("/athena", endpoint="athena", methods=["POST"], strict_slashes=False),
            Rule("/<any(customers,jobs,proposals,appointments):kind>", endpoint="paged_list"),
            Rule("/<any(customers,jobs):kind>/<int:row_id>", endpoint="single"),
        ]
    )

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.rates = (RequestRate(REQUESTS_PER_MINUTE, 60),)
        self._records = Records(conf.seed, conf.rows)
        self._athena = Athena(self._records)

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "SALESPRO_BASE_URL": base_url,
            "SALESPRO_API_TOKEN": TOKEN,
            "SALESPRO_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
            "SALESPRO_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "SALESPRO_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "SALESPRO_ATHENA_ENDPOINT": f"{base_url}/athena",
            "SALESPRO_ATHENA_DATABASE": DATABASE,
            "SALESPRO_ATHENA_OUTPUT": "s3://sandbox/results/",
        }

    def counts(self) -> dict[str, int]:
        found = {name: len(rows) for name, rows in self._records.lists.items()}
        return {**found, "leads": len(list(self._records.in_lead_stage()))}

    def tick(self, at: datetime) -> dict[str, int]:
        return self._records.tick(at)

    def admit(self, request: Request) -> None:
        if request.path.startswith("/athena"):
            return
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(_error(401, "Unauthorized"))
        if self.over_rate():
            raise Refused(_error(429, "Too many attempts"))

    def bad_request(self, request: Request) -> Response:
        """413 where others answer 400."""
        return _error(413, "The given data was invalid.")

    def athena(self, request: Request) -> Response:
        return self._athena.answer(request)

    def stages(self, _request: Request) -> Response:
        return json_answer(
            {"data": [{"code": code, "name": name} for code, name in STAGES], "status": 200}
        )

    def users(self, _request: Request) -> Response:
        return json_answer({"data": list(self._records.lists["users"].values()), "status": 200})

    def single(self, _request: Request, kind: str, row_id: int) -> Response:
        row = self._records.lists[kind].get(row_id)
        return (
            _error(404, "Not found.") if row is None else json_answer({"data": row, "status": 200})
        )

    def paged_list(self, request: Request, kind: str) -> Response:
        """413 where others answer 400: an unknown date range, or a page that is no number."""
        limit, page = request.args.get("limit", str(DEFAULT_LIMIT)), request.args.get("page", "1")
        date_range = request.args.get("date_range_type")
        if not (limit.isdigit() and page.isdigit()) or date_range not in (None, *DATE_RANGES):
            return _error(413, "The given data was invalid.")
        rows = list(_in_range(_in_stages(self._records.lists[kind].values(), request), request))
        return json_answer(_envelope(rows, min(int(limit), MAX_LIMIT), max(1, int(page))))


def _in_stages(rows: Iterable[Row], request: Request) -> Iterable[Row]:
    stages = request.args.getlist("stages[]")
    return (row for row in rows if not stages or row["current_stage"]["code"] in stages)


def _in_range(rows: Iterable[Row], request: Request) -> Iterable[Row]:
    """By whole days, both of them included."""
    column = DATE_RANGES.get(request.args.get("date_range_type", ""))
    if column is None:
        return rows
    first, last = request.args["start_date"], request.args["end_date"]
    return (row for row in rows if first <= row[column][:10] <= last)


def _envelope(rows: list[Row], limit: int, page: int) -> dict[str, Any]:
    cut = rows[(page - 1) * limit : page * limit]
    pagination = {
        "total": len(rows),
        "count": len(cut),
        "per_page": limit,
        "current_page": page,
        "total_pages": max(1, -(-len(rows) // limit)),
    }
    return {"data": cut, "meta": {"pagination": pagination}, "status": 200}


def _error(status: int, message: str) -> Response:
    return json_answer({"error": {"message": message}, "status": status}, status)
