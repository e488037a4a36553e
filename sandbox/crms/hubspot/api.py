"""The HTTP API of HubSpot's sandbox."""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from sandbox.base import SandboxConf
from sandbox.crms.hubspot import wire
from sandbox.crms.hubspot.catalog import (
    ALIASES,
    DEFAULTS,
    LINKS,
    PROPERTIES,
    SCOPES,
    Prop,
    extra_properties,
    iso,
)
from sandbox.crms.hubspot.generator import DataGenerator
from sandbox.crms.hubspot.portal import Item, Portal
from sandbox.crms.hubspot.search import BadSearch, Search
from sandbox.web import Refused, RequestRate, WebSandbox, json_answer

TOKEN = "pat-na1-sandbox-hubspot"  # noqa: S105
DATED_VERSIONS = ("2026-03", "2026-09")
LIST_LIMIT, OWNERS_LIMIT, BATCH_INPUTS, ASSOCIATION_INPUTS = 100, 500, 100, 1000
MAX_URL_LENGTH = 16_000
NO_LIMIT = 1_000_000
_ALWAYS = {"createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"}
_NO_ASSOCIATIONS = "crm.associations.NO_ASSOCIATIONS_FOUND"

Json = dict[str, Any]


def _rules() -> list[Rule]:
    bases = [("/crm/v3/{}", "/crm/v4/{}")]
    bases += [(f"/crm/{{}}/{version}",) * 2 for version in DATED_VERSIONS]
    rules = []
    for base, newer in bases:
        objects, associations = base.format("objects"), newer.format("associations")
        rules += [
            Rule(f"{objects}/<kind>", endpoint="list_objects", methods=["GET"]),
            Rule(f"{newer.format('objects')}/<kind>", endpoint="list_objects", methods=["GET"]),
            Rule(base.format("schemas"), endpoint="list_schemas", methods=["GET"]),
            Rule(f"{objects}/<kind>/<int:item_id>", endpoint="get_object", methods=["GET"]),
            Rule(f"{objects}/<kind>/search", endpoint="search_objects", methods=["POST"]),
            Rule(f"{objects}/<kind>/batch/read", endpoint="read_objects", methods=["POST"]),
            Rule(
                f"{base.format('properties')}/<kind>", endpoint="list_properties", methods=["GET"]
            ),
            # The path with a slash at its end is the documented one; both answer.
            Rule(
                f"{base.format('owners')}/",
                endpoint="list_owners",
                methods=["GET"],
                strict_slashes=False,
            ),
            Rule(f"{base.format('owners')}/<int:owner_id>", endpoint="get_owner", methods=["GET"]),
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

    What a test or a benchmark may set: the rates (``relax`` lifts all), ``retry_after_seconds`` (the
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
        self.retry_after_seconds: int | None = None
        self.missing: Literal["error", "absent"] = "error"
        self.association_page = 500
        self.search_lag = timedelta()
        self.denied: set[str] = set()
        self._extra = extra_properties(custom_properties)
        self._lock = threading.RLock()
        self._portal = Portal()
        self._found: tuple[object, list[Item]] = (None, [])
        self._generator = DataGenerator(self._portal, conf.seed, conf.rows, self._extra)
        self._generator.begin()

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
        with self._lock:
            return self._generator.tick(at)

    def counts(self) -> dict[str, int]:
        """The records that are not archived."""
        with self._lock:
            objects = {kind: len(items) for kind, items in self._portal.items.items()}
            owners = sum(not owner["archived"] for owner in self._portal.owners)
            return {**objects, "owners": owners, "associations": self._portal.link_count()}

    def admit(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise wire.error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if len(request.url) > MAX_URL_LENGTH:
            raise wire.error(414, "VALIDATION_ERROR", "URI too long")
        if not self.daily.admits():
            raise self._too_many("DAILY", "daily")
        if wire.is_search(request) and not self.search.admits():
            raise self._too_many("SECONDLY", "secondly")
        if not self.burst.admits():
            raise self._too_many("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")

    def not_found(self, request: Request) -> Response:
        return wire.error(404, "OBJECT_NOT_FOUND", f"No route {request.path}").response

    def bad_request(self, request: Request) -> Response:
        return wire.error(400, "VALIDATION_ERROR", f"Invalid input for {request.path}").response

    def list_objects(self, request: Request, kind: str) -> Response:
        kind, archived = self._kind(kind), wire.wants_archived(request)
        limit, after = wire.limit_of(request, LIST_LIMIT, default=10), wire.after_of(request)
        others = self._others(kind, request)
        with self._lock:
            found = self._portal.after(kind, after, limit + 1, archived=archived)
            names = self._names(kind, wire.listed(request, "properties"))
            shown = [self._with_others(kind, item, names, others) for item in found[:limit]]
            body: Json = {"results": shown}
        if len(found) > limit:
            body["paging"] = wire.next_page(str(found[limit - 1].id))
        return self._answer(body)

    def get_object(self, request: Request, kind: str, item_id: int) -> Response:
        kind, archived = self._kind(kind), wire.wants_archived(request)
        others = self._others(kind, request)
        with self._lock:
            found = (self._portal.archived if archived else self._portal.items)[kind].get(item_id)
            if found is None:
                raise wire.error(404, "OBJECT_NOT_FOUND", f"Could not get {kind} {item_id}")
            names = self._names(kind, wire.listed(request, "properties"))
            return self._answer(self._with_others(kind, found, names, others))

    def search_objects(self, request: Request, kind: str) -> Response:
        kind = self._kind(kind)
        try:
            search = Search.of(wire.body_of(request), {p.name: p.kind for p in self._props(kind)})
        except BadSearch as problem:
            raise wire.bad_search(problem) from None
        with self._lock:
            found = self._searched(kind, search)
            page = found[search.offset : search.offset + search.limit]
            names = self._names(kind, search.names)
            body: Json = {"total": len(found), "results": [item.as_json(names) for item in page]}
        end = search.offset + len(page)
        if end < len(found):
            body["paging"] = wire.next_page(str(end))
        return json_answer(body)  # without rate headers

    def read_objects(self, request: Request, kind: str) -> Response:
        kind, archived, body = self._kind(kind), wire.wants_archived(request), wire.body_of(request)
        ids = [int(i["id"]) for i in wire.inputs_of(body, BATCH_INPUTS)]
        with self._lock:
            items = (self._portal.archived if archived else self._portal.items)[kind]
            names = self._names(kind, body.get("properties") or ())
            results = [items[item_id].as_json(names) for item_id in ids if item_id in items]
        missing = [str(item_id) for item_id in ids if item_id not in items]
        problems = [wire.problem("OBJECT_NOT_FOUND", f"Could not get {kind} {i}") for i in missing]
        return self._batch(results, problems)

    def list_properties(self, request: Request, kind: str) -> Response:
        properties = [wire.property_metadata(p) for p in self._props(self._kind(kind))]
        return self._answer({"results": properties})

    def list_schemas(self, request: Request) -> Response:
        """Of the account's own kinds of objects: it has none."""
        return self._answer({"results": []})

    def list_owners(self, request: Request) -> Response:
        self._check_scope("owners")
        limit, after = wire.limit_of(request, OWNERS_LIMIT, default=100), wire.after_of(request)
        with self._lock:
            found = [
                dict(owner)
                for owner in self._portal.owners
                if owner["archived"] is wire.wants_archived(request)
                and int(owner["id"]) > after
                and request.args.get("email") in (None, owner["email"])
            ]
        body: Json = {"results": [wire.without_nulls(owner) for owner in found[:limit]]}
        if len(found) > limit:
            body["paging"] = wire.next_page(found[limit - 1]["id"])
        return self._answer(body)

    def get_owner(self, request: Request, owner_id: int) -> Response:
        self._check_scope("owners")
        for owner in self._portal.owners:
            is_asked = owner["archived"] is wire.wants_archived(request)
            if is_asked and owner["id"] == str(owner_id):
                return self._answer(wire.without_nulls(owner))
        raise wire.error(404, "OBJECT_NOT_FOUND", f"resource not found: {owner_id}")

    def read_associations(self, request: Request, one: str, other: str) -> Response:
        one, other = self._pair(one, other)
        inputs = wire.inputs_of(wire.body_of(request), ASSOCIATION_INPUTS)
        results, problems = [], []
        with self._lock:
            for item in inputs:
                if entry := self._associations(one, other, int(item["id"]), item.get("after")):
                    results.append({"from": {"id": str(item["id"])}, **entry})
                elif self.missing == "error":
                    text = f"No {one} is associated with {other} {item['id']}"
                    problems.append(wire.problem("OBJECT_NOT_FOUND", text, _NO_ASSOCIATIONS))
        return self._batch(results, problems)

    def list_associations(self, request: Request, one: str, item_id: int, other: str) -> Response:
        one, other = self._pair(one, other)
        with self._lock:
            entry = self._associations(one, other, item_id, request.args.get("after")) or {"to": []}
        entry["results"] = entry.pop("to")
        return self._answer(entry)

    def _others(self, kind: str, request: Request) -> list[str]:
        """The object types whose associations are asked for beside the objects. Those that no object
        of the kind has are passed over."""
        asked = [self._kind(name) for name in wire.listed(request, "associations")]
        return [other for other in asked if {(kind, other), (other, kind)} & LINKS.keys()]

    def _with_others(
        self, kind: str, item: Item, names: tuple[str, ...], others: list[str]
    ) -> Json:
        """As the third version of the API has it: a part for each type that there are any of."""
        found = {other: sorted(self._portal.linked((kind, item.id), other)) for other in others}
        parts = {
            other: {"results": [{"id": str(i), "type": wire.link_name(kind, other)} for i in ids]}
            for other, ids in found.items()
            if ids
        }
        return item.as_json(names) | ({"associations": parts} if parts else {})

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
        return entry | ({"paging": wire.next_page(str(page[-1]))} if len(ids) > len(page) else {})

    def _searched(self, kind: str, search: Search) -> list[Item]:
        """All that is found, sorted; cached for the next page of the same search."""
        whole, above = search.split_above()
        paging = ("after", "limit", "properties")
        criteria = {n: v for n, v in whole.body.items() if n not in paging}
        key = (kind, self._portal.version, json.dumps(criteria, sort_keys=True))
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
            raise wire.error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        self._check_scope(kind)
        return kind

    def _check_scope(self, kind: str) -> None:
        if kind in self.denied:
            text = "This app hasn't been granted all required scopes to make this call."
            context = {"requiredGranularScopes": [SCOPES[kind]]}
            errors = [{"message": "One or more scopes are required.", "context": context}]
            raise wire.error(403, "MISSING_SCOPES", text, errors=errors)

    def _pair(self, one: str, other: str) -> tuple[str, str]:
        pair = self._kind(one), self._kind(other)
        if pair not in LINKS and pair[::-1] not in LINKS:
            raise wire.error(400, "VALIDATION_ERROR", f"No association of {one} with {other}")
        return pair

    def _props(self, kind: str) -> tuple[Prop, ...]:
        return (*PROPERTIES[kind], *self._extra)

    def _names(self, kind: str, requested: Any) -> tuple[str, ...]:
        """The known ones of ``requested`` and those that always come; the default set for none."""
        known = {p.name for p in self._props(kind)}
        wanted = [name for name in requested if name]
        always = [n for n in DEFAULTS[kind] if n in _ALWAYS]
        chosen = [n for n in wanted if n in known] + always if wanted else DEFAULTS[kind]
        return tuple(dict.fromkeys(chosen))

    def _too_many(self, policy: str, period: str) -> Refused:
        refusal = wire.error(
            429,
            "RATE_LIMITS",
            f"You have reached your {period} limit.",
            errorType="RATE_LIMIT",
            policyName=policy,
            groupName=f"publicapi:private_app-api-calls-{period}:1:1",
        )
        if self.retry_after_seconds is not None:
            refusal.response.headers["Retry-After"] = str(self.retry_after_seconds)
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
