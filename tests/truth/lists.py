"""Lists that are paged by numbers, as each CRM answers with them, and that a test changes while they
are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.truth.world import World, serve

Rows = list[dict[str, Any]]
AT = "2026-01-05T10:00:00+00:00"


@dataclass(frozen=True)
class Dialect:
    """How a CRM pages the list of ``model``: the query's names of the page's number (or of its first
    row) and of its size; ``answer`` makes the body of rows and of how many there are in all."""

    crm: str
    model: str
    path: str
    number: str
    size: str
    answer: Callable[[Rows, int, int, Request], Any]
    settings: Mapping[str, str]
    is_row: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.crm}.{self.model}"

    def span(self, request: Request) -> tuple[int, int]:
        """The first row, and how many are asked for."""
        size = int(request.args[self.size])
        number = int(request.args.get(self.number, 0))
        return (number if self.is_row else (number - 1) * size), size


@dataclass
class ShiftingList:
    """``ids`` of the records in their order. ``after_answer`` is called with the number of the answer,
    from 1 on, once it has been made. ``own_size``: the list heeds no size that is asked for.
    ``extra``: more fields of a record.
    """

    dialect: Dialect
    ids: list[int]
    after_answer: Callable[[int], None] = lambda number: None
    own_size: int | None = None
    extra: dict[int, dict[str, Any]] = field(default_factory=dict)
    answers: int = 0

    def begin(self, world: World, server: HTTPServer) -> None:
        url = serve(server, self.answer)
        base = {f"{self.dialect.crm.upper()}_BASE_URL": url}
        world.use(self.dialect.crm, {**base, **self.dialect.settings})

    def answer(self, request: Request) -> Any:
        key = request.path.rsplit("/", 1)[1].removesuffix(".json").lstrip("C")
        if key.isdigit():
            return self._alone(int(key))
        start, size = self.span(request)
        ids = self.ids[start : start + size] if self._is_asked(request) else []
        rows = [self._row(number) for number in ids]
        body = self.dialect.answer(rows, start + size, len(self.ids), request)
        self.answers += 1
        self.after_answer(self.answers)
        return body

    def span(self, request: Request) -> tuple[int, int]:
        """The first row that it gives, and how many."""
        start, size = self.dialect.span(request)
        if self.own_size is None:
            return start, size
        return start // size * self.own_size, self.own_size

    def _row(self, number: int) -> dict[str, Any]:
        return {"id": self.id(number), **self.dialect.record, **self.extra.get(number, {})}

    def _alone(self, number: int) -> Any:
        """A record that is asked for by its key."""
        if number not in self.ids:
            return Response("{}", 404, content_type="application/json")
        row = self._row(number)
        return {"data": row} if self.dialect.crm in ("salesrabbit", "salespro") else row

    def id(self, number: int) -> Any:
        return f"C{number:05d}" if self.dialect.crm == "callrail" else number

    def in_warehouse(self, world: World, *, deleted: bool = False) -> list[int]:
        found = world.rows(self.dialect.model, "id", deleted=deleted)
        return sorted(int(str(value).lstrip("C")) for value in found)

    def _is_asked(self, request: Request) -> bool:
        """Of Arrivy's tasks, which are read in parts: all stand in the part of 2026."""
        part = request.args.get("from")
        is_there = part is None or part < "2026-06-01" <= request.args["to"]
        return is_there and not {"unscheduled", "tasks_with_no_datetime"} & set(request.args)


def _leap(rows: Rows, end: int, count: int, request: Request) -> Any:
    size = int(request.args["limit"])
    return {"data": rows, "meta": {"pagination": {"total_pages": -(-count // size)}}}


def _callrail(name: str, *, tells_pages: bool) -> Callable[[Rows, int, int, Request], Any]:
    def answer(rows: Rows, end: int, count: int, request: Request) -> Any:
        pages = -(-count // int(request.args["per_page"]))
        return {name: rows, **({"total_pages": pages} if tells_pages else {})}

    return answer


def _calls(rows: Rows, end: int, count: int, request: Request) -> Any:
    link = f"{request.base_url}?offset={end}" if end < count else None
    return {"calls": rows, "next_page": link, "has_next_page": link is not None}


def _bare(rows: Rows, end: int, count: int, request: Request) -> Any:
    return rows


def _rabbit(rows: Rows, end: int, count: int, request: Request) -> Any:
    return {"data": rows, "meta": {"morePages": end < count}}


CALLRAIL = {
    "CALLRAIL_API_KEY": "k",
    "CALLRAIL_ACCOUNT_ID": "1",
    "CALLRAIL_REQUESTS_PER_HOUR": "100000",
    "CALLRAIL_REQUESTS_PER_DAY": "100000",
}
ARRIVY = {
    "ARRIVY_AUTH_KEY": "k",
    "ARRIVY_AUTH_TOKEN": "t",
    "ARRIVY_REQUESTS_PER_MINUTE": "60000",
    "ARRIVY_HISTORY_START": "2026-01-01",
    "ARRIVY_SLICE_DAYS": "3650",
}
RABBIT = {"SALESRABBIT_API_TOKEN": "t", "SALESRABBIT_REQUESTS_PER_MINUTE": "60000"}
LEAP = {"SALESPRO_API_TOKEN": "t", "SALESPRO_REQUESTS_PER_MINUTE": "60000"}

DIALECTS = (
    Dialect("salesrabbit", "leads", "/leads", "page", "perPage", _rabbit, RABBIT),
    Dialect("salespro", "jobs", "/jobs", "page", "limit", _leap, LEAP),
    Dialect("salespro", "customers", "/customers", "page", "limit", _leap, LEAP),
    Dialect("arrivy", "tasks", "/tasks", "page", "items_per_page", _bare, ARRIVY),
    Dialect("arrivy", "bookings", "/bookings", "page", "items_per_page", _bare, ARRIVY),
    Dialect(
        "callrail",
        "companies",
        "/a/1/companies.json",
        "page",
        "per_page",
        _callrail("companies", tells_pages=True),
        CALLRAIL,
    ),
    Dialect(
        "callrail",
        "users",
        "/a/1/users.json",
        "page",
        "per_page",
        _callrail("users", tells_pages=False),
        CALLRAIL,
    ),
    Dialect(
        "callrail",
        "calls",
        "/a/1/calls.json",
        "offset",
        "per_page",
        _calls,
        CALLRAIL,
        is_row=True,
        record={"start_time": AT, "tags": []},
    ),
)
