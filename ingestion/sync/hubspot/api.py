"""HubSpot's endpoints. Sources of the facts: README.md."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    QuotaExceeded,
    SyncError,
    Throttled,
    TransientError,
)
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int, time_zone
from ingestion.sync.common.source import SourceContext
from ingestion.sync.http.client import Answer, BearerAuth, HttpApi, HttpClient
from ingestion.sync.http.errors import Refusal
from ingestion.sync.http.pagination import CursorPages, RepeatGuard
from ingestion.sync.http.retry import RetryPolicy
from ingestion.sync.hubspot.settings import CRM, HubspotModel
from ingestion.sync.hubspot.values import Property, id_of

LIST_LIMIT = 100
SEARCH_LIMIT = 200
ASSOCIATION_INPUTS = 1000
# A URL above 16 kB is refused with 414; the rest of it needs some room too.
PROPERTIES_URL_LENGTH = 14_000
TOKEN = "HUBSPOT_ACCESS_TOKEN"  # noqa: S105

# A locked record is locked for two seconds (error handling).
LOCK_SECONDS = 2.0
# The windows of the limits.
TEN_SECONDS, ONE_SECOND = 10.0, 1.0

Object = dict[str, Any]
Filter = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Paths:
    """Where the endpoints stand in one version of the API."""

    objects: str
    properties: str
    owners: str
    associations: str

    @classmethod
    def of(cls, version: str) -> Paths:
        """``v3`` or a date: /crm/v3/objects/deals is /crm/objects/2026-03/deals there."""
        if version.startswith("v"):
            base = f"/crm/{version}"
            return cls(
                f"{base}/objects", f"{base}/properties", f"{base}/owners", "/crm/v4/associations"
            )
        names = ("objects", "properties", "owners", "associations")
        return cls(*(f"/crm/{name}/{version}" for name in names))


@dataclass(frozen=True)
class Target:
    """One association of a record: ``to_id``, with its category, type and label."""

    to_id: str
    category: str
    type_id: int
    label: str | None


class HubspotApi:
    """Every method raises the SyncErrors of the HTTP layer."""

    def __init__(self, context: SourceContext) -> None:
        settings = context.settings
        self._paths = Paths.of(settings["HUBSPOT_API_VERSION"].strip())
        self._search_rate = search_rate(settings)
        self._http = HttpClient(_http_api(settings), context)

    def close(self) -> None:
        self._http.close()

    def several(self, calls: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
        """What each call gives, in order; some of them ask at once."""
        return self._http.several(calls)

    def properties(self, object_type: str) -> list[Property]:
        """All properties of an object type, sorted by name."""
        answer = self._http.get(f"{self._paths.properties}/{object_type}")
        found = [
            Property(p["name"], p.get("type", "string"), p.get("groupName") or "")
            for p in answer.records("results")
        ]
        return sorted(found, key=lambda p: p.name)

    def list_pages(
        self, object_type: str, names: Sequence[str], *, archived: bool, limit: int = LIST_LIMIT
    ) -> Iterator[list[Object]]:
        """All objects in the order of their ids, with the properties ``names``."""
        in_url, rest = split_names(names)
        params = {
            "limit": min(limit, LIST_LIMIT),
            "archived": str(archived).lower(),
            "properties": ",".join(in_url),
        }
        path = f"{self._paths.objects}/{object_type}"
        for page in self._http.paginate(path, _after(), records="results", params=params):
            yield self._with_rest(object_type, page, rest, archived=archived) if rest else page

    def search_pages(
        self,
        object_type: str,
        names: Sequence[str],
        filters: Sequence[Filter],
        *,
        limit: int = SEARCH_LIMIT,
    ) -> Iterator[list[Object]]:
        """The objects that ``filters`` (all of them) let through, in the order of their ids.

        Each page asks for ids above the last one instead of an offset: an offset is refused from
        10 000 on, and it skips records when others leave the result between two pages.
        """
        path = f"{self._paths.objects}/{object_type}/search"
        guard = RepeatGuard(f"HubSpot POST {path}")
        last_id = "0"
        while True:
            answer = self._http.post(
                path,
                _search_body(names, filters, last_id, min(limit, SEARCH_LIMIT)),
                rates=(self._search_rate,),
            )
            page = answer.records("results")
            guard.check(map(id_of, page))
            yield page
            # ``total``: how many there are above ``last_id``.
            has_more = bool(answer.object().get("paging")) or _total(answer) > len(page)
            if not page or not has_more:
                return
            last_id = next(filter(None, map(id_of, reversed(page))), last_id)

    def owners(self, *, archived: bool) -> Iterator[list[Object]]:
        params = {"limit": LIST_LIMIT, "archived": str(archived).lower()}
        return self._http.paginate(self._paths.owners, _after(), records="results", params=params)

    def associations(
        self, from_type: str, to_type: str, ids: Iterable[str]
    ) -> Iterator[tuple[str, Target]]:
        """Every association of at most 1000 records ``ids``, with the id of the record."""
        path = f"{self._paths.associations}/{from_type}/{to_type}/batch/read"
        guard = RepeatGuard(f"HubSpot POST {path}")
        inputs = [{"id": record_id} for record_id in ids]
        while inputs:
            guard.check((i["id"], i.get("after")) for i in inputs)
            # A record without any stands among the errors of a 207, or nowhere.
            found = self._http.post(path, {"inputs": inputs}).records("results")
            for entry in found:
                yield from _targets(entry)
            inputs = [more for entry in found if (more := _more(entry))]

    def _with_rest(
        self, object_type: str, page: list[Object], names: Sequence[str], *, archived: bool
    ) -> list[Object]:
        """The objects of a list page with the properties that did not fit into its URL. One that
        was archived or restored meanwhile drops out; the other list has it."""
        answer = self._http.post(
            f"{self._paths.objects}/{object_type}/batch/read",
            {"properties": list(names), "inputs": [{"id": i} for i in map(id_of, page) if i]},
            params={"archived": str(archived).lower()},
        )
        rest = {id_of(found): found["properties"] for found in answer.records("results")}
        rest[None] = {}  # such an object is rejected later on
        return [
            {**found, "properties": {**found["properties"], **rest[id_of(found)]}}
            for found in page
            if id_of(found) in rest
        ]


def _total(answer: Answer) -> int:
    found = answer.object().get("total")
    return found if isinstance(found, int) else 0


def search_rate(settings: Mapping[str, str]) -> Rate:
    """The limit that searches have beside that of all requests."""
    return Rate("hubspot:search", positive_int(settings, "HUBSPOT_SEARCHES_PER_SECOND"), 1)


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that fit into the URL of a list, and the others."""
    length = 0
    for count, name in enumerate(names):
        length += len(quote(f"{name},", safe=""))
        if length > PROPERTIES_URL_LENGTH:
            return list(names[:count]), list(names[count:])
    return list(names), []


def _http_api(settings: Mapping[str, str]) -> HttpApi:
    token = settings[TOKEN].strip()
    burst = positive_int(settings, "HUBSPOT_REQUESTS_PER_10_SECONDS")
    zone = time_zone(settings, "HUBSPOT_TIME_ZONE")

    def explain(refusal: Refusal) -> SyncError | None:
        is_daily = refusal.status == 429 and refusal.body.get("policyName") == "DAILY"
        return _used_up(refusal, datetime.now(zone)) if is_daily else _explain(refusal)

    return HttpApi(
        title=CRM.title,
        base_url=settings["HUBSPOT_BASE_URL"].strip().rstrip("/"),
        auth=BearerAuth(token),
        rates=(Rate("hubspot:burst", burst, 10),),
        retry=RetryPolicy(attempts=6, retry_after="either"),
        credentials=(TOKEN,),
        secrets=(token,),
        explain=explain,
    )


def _used_up(refusal: Refusal, now: datetime) -> QuotaExceeded:
    """``now``: in the zone of the account, at whose midnight the daily limit is reset."""
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    resets_at = midnight.astimezone(UTC)
    return QuotaExceeded(
        f"{refusal.label} was refused: HubSpot's daily limit of requests is used up;"
        f" it is reset at {resets_at:%Y-%m-%d %H:%M} UTC.",
        resets_at=resets_at,
    )


def _explain(refusal: Refusal) -> SyncError | None:
    if refusal.status == 429:
        return _too_fast(refusal)
    if refusal.status == 403 and refusal.body.get("category") == "MISSING_SCOPES":
        return NotAllowed(
            f"{refusal.label} is not allowed (403): give the private app of {TOKEN} the scope"
            f" {_missing_scopes(refusal)}."
        )
    if refusal.status == 530:  # what Cloudflare makes of a token that is none
        return CredentialsError(f"{refusal.label} got no answer (530); check {TOKEN}.")
    if refusal.status in (423, 477):  # locked, or being moved to another data centre
        return TransientError(
            f"{refusal.label} is locked at the moment ({refusal.status}); try again later.",
            retry_after_seconds=_lock_seconds(refusal),
        )
    return None


def _too_fast(refusal: Refusal) -> Throttled:
    """HubSpot often leaves Retry-After out; the name of the policy or a header tells the window,
    and before that has passed another request is refused too."""
    policy = str(refusal.body.get("policyName") or "")
    window = TEN_SECONDS if policy.startswith("TEN_SECONDLY") else _window_seconds(refusal.headers)
    return Throttled(
        f"{refusal.label} answers that there were too many requests (429 {policy}); lower"
        " HUBSPOT_REQUESTS_PER_10_SECONDS or HUBSPOT_SEARCHES_PER_SECOND, or try again later.",
        retry_after_seconds=max(window, refusal.retry_after_seconds or 0),
    )


def _lock_seconds(refusal: Refusal) -> float:
    """The header of a 477 is in seconds: a move may take a day."""
    asked = RetryPolicy().asked_delay_seconds(refusal.headers.get("Retry-After"))
    return max(LOCK_SECONDS, asked or 0)


def _window_seconds(headers: Mapping[str, str]) -> float:
    told = headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "")
    return int(told) / 1000 if told.isascii() and told.isdigit() else ONE_SECOND


def _missing_scopes(refusal: Refusal) -> str:
    """As the answer names them, else those of the models that the path names."""
    errors = refusal.body.get("errors") or [{}]
    named = (errors[0].get("context") or {}).get("requiredGranularScopes") or []
    models = [m for m in CRM.models if isinstance(m, HubspotModel)]
    parts = refusal.label.split("/")
    known = [m.scope for m in models if m.object_type and m.object_type in parts]
    return " and ".join(named or known) or "that the model needs"


def _after() -> CursorPages:
    return CursorPages("paging.next.after", param="after")


def _search_body(
    names: Sequence[str], filters: Sequence[Filter], last_id: str, limit: int
) -> dict[str, Any]:
    above = {"propertyName": "hs_object_id", "operator": "GT", "value": last_id}
    return {
        "filterGroups": [{"filters": [*filters, above]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(names),
        "limit": limit,
    }


def _targets(entry: Object) -> Iterator[tuple[str, Target]]:
    for to in entry.get("to") or []:
        for kind in to.get("associationTypes") or []:
            # The schema says string, real answers have a number.
            target = Target(
                str(to["toObjectId"]), kind["category"], int(kind["typeId"]), kind.get("label")
            )
            yield str(entry["from"]["id"]), target


def _more(entry: Object) -> dict[str, str] | None:
    """The input that asks for the next associations of one record."""
    after = ((entry.get("paging") or {}).get("next") or {}).get("after")
    return {"id": str(entry["from"]["id"]), "after": after} if after else None
