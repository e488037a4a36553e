"""The HTTP face of HubSpot's stand-in."""

from __future__ import annotations

import json
import threading
import uuid
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from ingestion.sandbox.base import SandboxConf
from ingestion.sandbox.hubspot.catalog import (
    ALIASES,
    DEFAULTS,
    LINKS,
    PROPERTIES,
    SCOPES,
    Prop,
    extra_properties,
    iso,
)
from ingestion.sandbox.hubspot.portal import Item, Portal
from ingestion.sandbox.hubspot.search import BadSearch, Search
from ingestion.sandbox.hubspot.story import Story
from ingestion.sandbox.web import Refused, RequestRate, WebSandbox, json_answer

TOKEN = "pat-na1-sandbox-hubspot"  # noqa: S105
DATED_VERSIONS = ("2026-03", "2026-09")
LIST_LIMIT, OWNERS_LIMIT, BATCH_INPUTS, ASSOCIATION_INPUTS = 100, 500, 100, 1000
MAX_URL_LENGTH = 16_000
NO_LIMIT = 1_000_000

Json = dict[str, Any]


def _rules() -> list[Rule]:
    bases = [("/crm/v3/{}", "/crm/v4/{}")]
    bases += [(f"/crm/{{}}/{version}",) * 2 for version in DATED_VERSIONS]
    rules = []
    for base, newer in bases:
        objects, associations = base.format("objects"), newer.format("associations")
        rules += [
            Rule(f"{objects}/<kind>", endpoint="list_objects", methods=["GET"]),
            Rule(f"{objects}/<kind>/search", endpoint="search_objects", methods=["POST"]),
            Rule(f"{objects}/<kind>/batch/read", endpoint="read_objects", methods=["POST"]),
            Rule(
                f"{base.format('properties')}/<kind>", endpoint="list_properties", methods=["GET"]
            ),
            Rule(base.format("owners"), endpoint="list_owners", methods=["GET"]),
            Rule(
                f"{associations}/<one>/<other>/batch/read",
                endpoint="read_associations",
                methods=["POST"],
            ),
            Rule(
                f"{newer.format('objects')}/<one>/<int:item_id>/associations/<other>",
                endpoint="list_associations",
                methods=["GET"],
            ),
        ]
    return rules


class HubspotSandbox(WebSandbox):
    """``rows`` contacts, and companies, deals, line items, products and tickets around them.

    What a test or a benchmark may set: the rates (``relax`` lifts all), ``retry_after_ms`` (the
    header of a 429; None leaves it out, as HubSpot often does), ``missing`` (whether records
    without associations are errors of a 207 or just absent), ``association_page`` (associations
    of one record per answer), ``search_lag`` (how long a search does not see a change),
    ``denied`` (object types whose scope the token lacks).
    """

    name = "hubspot"
    routes = Map(_rules())

    def __init__(self, conf: SandboxConf, *, custom_properties: int = 0) -> None:
        super().__init__(conf)
        self.burst = RequestRate(190, 10)
        self.search = RequestRate(5, 1, counts="searches")
        self.daily = RequestRate(625_000, 86_400)
        self.retry_after_ms: int | None = None
        self.missing: Literal["error", "absent"] = "error"
        self.association_page = 500
        self.search_lag = timedelta()
        self.denied: set[str] = set()
        self._extra = extra_properties(custom_properties)
        self._turn = threading.RLock()
        self._portal = Portal()
        self._found: tuple[object, list[Item]] = (None, [])
        self._story = Story(self._portal, conf.seed, conf.rows, self._extra)
        self._story.begin()

        self.rates = (self.burst, self.search, self.daily)

    def relax(self) -> HubspotSandbox:
        """No limits: for tests and benchmarks of something else."""
        for rate in self.rates:
            rate.requests = 0
        return self

    def settings(self, base_url: str) -> dict[str, str]:
        return {
            "HUBSPOT_BASE_URL": base_url,
            "HUBSPOT_ACCESS_TOKEN": TOKEN,
            "HUBSPOT_REQUESTS_PER_10_SECONDS": str(self.burst.requests or NO_LIMIT),
            "HUBSPOT_SEARCHES_PER_SECOND": str(self.search.requests or NO_LIMIT),
        }

    def tick(self, at: datetime) -> dict[str, int]:
        with self._turn:
            return self._story.tick(at)

    def counts(self) -> dict[str, int]:
        """The living records: those that are not archived."""
        with self._turn:
            objects = {kind: len(items) for kind, items in self._portal.items.items()}
            owners = sum(not owner["archived"] for owner in self._portal.owners)
            return {**objects, "owners": owners, "associations": self._portal.link_count()}

    def admit(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if len(request.url) > MAX_URL_LENGTH:
            raise _error(414, "VALIDATION_ERROR", "URI too long")
        if not self.daily.admits():
            raise self._too_many("DAILY", "daily")
        if _is_search(request) and not self.search.admits():
            raise self._too_many("SECONDLY", "secondly")
        if not self.burst.admits():
            raise self._too_many("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")

    def not_found(self, request: Request) -> Response:
        return _error(404, "OBJECT_NOT_FOUND", f"No route {request.path}").response

    def list_objects(self, request: Request, kind: str) -> Response:
        kind, archived = self._kind(kind), _archived(request)
        limit, after = _limit(request, LIST_LIMIT, default=10), _after(request)
        with self._turn:
            found = self._portal.after(kind, after, limit + 1, archived=archived)
            names = self._names(kind, request.args.get("properties", "").split(","))
            body: Json = {"results": [item.as_json(names) for item in found[:limit]]}
        if len(found) > limit:
            body["paging"] = _next(str(found[limit - 1].id))
        return self._answer(body)

    def search_objects(self, request: Request, kind: str) -> Response:
        kind = self._kind(kind)
        try:
            search = Search.of(_body(request), {p.name: p.kind for p in self._props(kind)})
        except BadSearch as problem:
            raise _bad_search(problem) from None
        with self._turn:
            found = self._searched(kind, search)
            page = found[search.offset : search.offset + search.limit]
            names = self._names(kind, search.names)
            body: Json = {"total": len(found), "results": [item.as_json(names) for item in page]}
        end = search.offset + len(page)
        if end < len(found):
            body["paging"] = _next(str(end))
        return json_answer(body)  # without rate headers

    def read_objects(self, request: Request, kind: str) -> Response:
        kind, archived, body = self._kind(kind), _archived(request), _body(request)
        ids = [int(i["id"]) for i in _inputs(body, BATCH_INPUTS)]
        with self._turn:
            items = (self._portal.archived if archived else self._portal.items)[kind]
            names = self._names(kind, body.get("properties") or ())
            results = [items[item_id].as_json(names) for item_id in ids if item_id in items]
        missing = [str(item_id) for item_id in ids if item_id not in items]
        problems = [_problem("OBJECT_NOT_FOUND", f"Could not get {kind} {i}") for i in missing]
        return self._batch(results, problems)

    def list_properties(self, request: Request, kind: str) -> Response:
        properties = [_property(p) for p in self._props(self._kind(kind))]
        return self._answer({"results": properties})

    def list_owners(self, request: Request) -> Response:
        self._check_scope("owners")
        limit, after = _limit(request, OWNERS_LIMIT, default=100), _after(request)
        with self._turn:
            found = [
                dict(owner)
                for owner in self._portal.owners
                if owner["archived"] is _archived(request)
                and int(owner["id"]) > after
                and request.args.get("email") in (None, owner["email"])
            ]
        body: Json = {"results": [_without_nulls(owner) for owner in found[:limit]]}
        if len(found) > limit:
            body["paging"] = _next(found[limit - 1]["id"])
        return self._answer(body)

    def read_associations(self, request: Request, one: str, other: str) -> Response:
        one, other = self._pair(one, other)
        inputs = _inputs(_body(request), ASSOCIATION_INPUTS)
        results, problems = [], []
        with self._turn:
            for asked in inputs:
                if entry := self._associations(one, other, int(asked["id"]), asked.get("after")):
                    results.append({"from": {"id": str(asked["id"])}, **entry})
                elif self.missing == "error":
                    text = f"No {one} is associated with {other} {asked['id']}"
                    problems.append(_problem("OBJECT_NOT_FOUND", text, _NO_ASSOCIATIONS))
        return self._batch(results, problems)

    def list_associations(self, request: Request, one: str, item_id: int, other: str) -> Response:
        one, other = self._pair(one, other)
        with self._turn:
            entry = self._associations(one, other, item_id, request.args.get("after")) or {"to": []}
        entry["results"] = entry.pop("to")
        return self._answer(entry)

    def _associations(self, one: str, other: str, item_id: int, after: str | None) -> Json | None:
        """The associations of a record, above the id ``after``; None where there are none."""
        links = self._portal.linked((one, item_id), other)
        ids = [to_id for to_id in sorted(links) if to_id > int(after or 0)]
        if not ids:
            return None
        page = ids[: self.association_page]
        entry: Json = {
            "to": [
                {"toObjectId": i, "associationTypes": [t.as_json() for t in links[i]]} for i in page
            ]
        }
        return entry | ({"paging": _next(str(page[-1]))} if len(ids) > len(page) else {})

    def _searched(self, kind: str, search: Search) -> list[Item]:
        """All that is found, sorted; kept for the next page of the same search."""
        whole, above = search.split_above()
        asked = {n: v for n, v in whole.body.items() if n not in ("after", "limit", "properties")}
        key = (kind, self._portal.version, json.dumps(asked, sort_keys=True))
        if self._found[0] != key or self.search_lag:
            seen_until = datetime.now(UTC) - self.search_lag
            items = self._portal.items[kind].values()
            visible = (i for i in items if not self.search_lag or i.updated <= seen_until)
            self._found = key, whole.sort([item for item in visible if whole.matches(item)])
        found = self._found[1]
        return found[bisect_right(found, above, key=lambda item: item.id) :] if above else found

    def _kind(self, name: str) -> str:
        kind = ALIASES.get(name, name)
        if kind not in PROPERTIES:
            raise _error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        self._check_scope(kind)
        return kind

    def _check_scope(self, kind: str) -> None:
        if kind in self.denied:
            text = "This app hasn't been granted all required scopes to make this call."
            context = {"requiredGranularScopes": [SCOPES[kind]]}
            errors = [{"message": "One or more scopes are required.", "context": context}]
            raise _error(403, "MISSING_SCOPES", text, errors=errors)

    def _pair(self, one: str, other: str) -> tuple[str, str]:
        pair = self._kind(one), self._kind(other)
        if pair not in LINKS and pair[::-1] not in LINKS:
            raise _error(400, "VALIDATION_ERROR", f"No association of {one} with {other}")
        return pair

    def _props(self, kind: str) -> tuple[Prop, ...]:
        return (*PROPERTIES[kind], *self._extra)

    def _names(self, kind: str, asked: Any) -> tuple[str, ...]:
        """The known ones of ``asked`` and those that always come; the default set for none."""
        known = {p.name for p in self._props(kind)}
        wanted = [name for name in asked if name]
        always = [n for n in DEFAULTS[kind] if n in _ALWAYS]
        chosen = [n for n in wanted if n in known] + always if wanted else DEFAULTS[kind]
        return tuple(dict.fromkeys(chosen))

    def _too_many(self, policy: str, words: str) -> Refused:
        refusal = _error(
            429,
            "RATE_LIMITS",
            f"You have reached your {words} limit.",
            errorType="RATE_LIMIT",
            policyName=policy,
            groupName=f"publicapi:private_app-api-calls-{words}:1:1",
        )
        if self.retry_after_ms is not None:
            refusal.response.headers["Retry-After"] = str(self.retry_after_ms)
        return refusal

    def _answer(self, body: Json, status: int = 200) -> Response:
        headers = {
            "X_HubSpot_RateLimit_Max": self.burst.requests,
            "X_HubSpot_RateLimit_Remaining": self.burst.left,
            "X_HubSpot_RateLimit_Interval_Milliseconds": round(self.burst.window_seconds * 1000),
            "X_HubSpot_RateLimit_Daily": self.daily.requests,
            "X_HubSpot_RateLimit_Daily_Remaining": self.daily.left,
        }
        return json_answer(body, status, **{name: str(value) for name, value in headers.items()})

    def _batch(self, results: list[Json], problems: list[Json]) -> Response:
        now = iso(datetime.now(UTC))
        body: Json = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": now,
            "completedAt": now,
        }
        if problems:
            body |= {"numErrors": len(problems), "errors": problems}
        return self._answer(body, 207 if problems else 200)


_ALWAYS = {"createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"}
_NO_ASSOCIATIONS = "crm.associations.NO_ASSOCIATIONS_FOUND"


def _error(status: int, category: str, message: str, **more: Any) -> Refused:
    body = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": category,
        **more,
    }
    return Refused(json_answer(body, status))


def _bad_search(problem: BadSearch) -> Refused:
    context = {"invalidPropertyName": [problem.property_name]} if problem.property_name else {}
    return _error(400, "VALIDATION_ERROR", str(problem), context=context)


def _problem(category: str, message: str, sub_category: str = "") -> Json:
    return {
        "status": "error",
        "category": category,
        "subCategory": sub_category,
        "message": message,
    }


def _property(prop: Prop) -> Json:
    return {
        "name": prop.name,
        "label": prop.name.replace("_", " ").title(),
        "type": prop.kind,
        "fieldType": prop.field_type,
        "options": [{"label": o.title(), "value": o, "hidden": False} for o in prop.options],
        "archived": False,
    }


def _without_nulls(owner: Mapping[str, Any]) -> Json:
    return {name: value for name, value in owner.items() if value is not None}


def _is_search(request: Request) -> bool:
    return request.path.endswith("/search")


def _archived(request: Request) -> bool:
    return request.args.get("archived", "false").lower() == "true"


def _limit(request: Request, highest: int, *, default: int) -> int:
    text = request.args.get("limit", str(default))
    if not text.isdigit() or not 0 < int(text) <= highest:
        raise _error(400, "VALIDATION_ERROR", f"limit must be between 1 and {highest}")
    return int(text)


def _after(request: Request) -> int:
    text = request.args.get("after", "0")
    if not text.isdigit():
        raise _error(400, "VALIDATION_ERROR", "after is not a valid cursor")
    return int(text)


def _next(after: str) -> Json:
    return {"next": {"after": after, "link": f"?after={after}"}}


def _body(request: Request) -> Json:
    try:
        body = request.get_json()
    except HTTPException:
        body = None
    if not isinstance(body, dict):
        raise _error(400, "VALIDATION_ERROR", "Invalid input JSON")
    return body


def _inputs(body: Mapping[str, Any], highest: int) -> list[Json]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= highest:
        raise _error(400, "VALIDATION_ERROR", f"inputs must hold 1 to {highest} entries")
    if not all(isinstance(i, dict) and str(i.get("id", "")).isdigit() for i in inputs):
        raise _error(400, "VALIDATION_ERROR", "Every input needs a numeric id")
    return inputs
