"""Reads LeadConduit's events; a lead is its source event."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from requests.auth import HTTPBasicAuth

from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.pagination import RepeatGuard
from ingestion.sync.leadconduit import settings as names

MAX_LIMIT = 1000
# Ids are BSON object ids: eight hex digits of seconds since 1970, then sixteen of their own.
ID_TAIL = "0" * 16
SOURCE_EVENTS = json.dumps([{"lhv": "type", "op": "is equal to", "rhv": "source"}])
LEAD_VALUES = ("first_name", "last_name", "email", "phone_1", "city", "state", "postal_code")
TIMES = ("start_timestamp", "end_timestamp")


class Source:
    """Keeps the CrmSource contract for LeadConduit."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._http = HttpClient(_api(context.settings), context)

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """Ascending by event id: with the API's own order, newest first, ``after_id`` goes wrong."""
        limit = min(batch_size or MAX_LIMIT, MAX_LIMIT)
        params: dict[str, Any] = {"sort": "asc", "limit": limit, "rules": SOURCE_EVENTS}
        params |= self._bounds(window)
        if gap := self._gap(window):
            yield Page((), unread=gap)
        guard = RepeatGuard("LeadConduit GET /events")
        while True:
            events = self._http.get("/events", params).records()
            guard.check(event.get("id") for event in events)
            yield Page([lead_of(event) for event in events if event.get("type") == "source"])
            if len(events) < limit:
                return
            known = [event["id"] for event in events if event.get("id")]
            params = {**params, "after_id": known[-1] if known else params.get("after_id")}

    def close(self) -> None:
        self._http.close()

    def _bounds(self, window: Window) -> dict[str, str]:
        """``after_id`` for a run that goes on after an event, else ``start`` and ``end``; a full run
        has no beginning: whatever the account still keeps is read."""
        bounds = {"end": window.until.isoformat()} if window.until else {}
        if isinstance(window.since, str):
            overlap = int(self._settings[names.OVERLAP_SECONDS])
            return {**bounds, "after_id": id_before(window.since, seconds=overlap)}
        since = {"start": window.since.isoformat()} if isinstance(window.since, datetime) else {}
        return {**bounds, **since}

    def _gap(self, window: Window) -> str | None:
        """What has been lost: events that came since the last run and are older than what is kept."""
        if not isinstance(window.since, str):
            return None
        last, oldest = _made_at(window.since), self._oldest()
        if last >= oldest:
            return None
        return (
            f"LeadConduit keeps events for {self._settings[names.RETENTION_DAYS]} days: those between"
            f" {last:%Y-%m-%d} and {oldest:%Y-%m-%d} were not read in time and are lost"
        )

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - timedelta(
            days=positive_int(self._settings, names.RETENTION_DAYS)
        )


def _api(settings: Mapping[str, str]) -> HttpApi:
    per_minute = positive_int(settings, names.REQUESTS_PER_MINUTE)
    return HttpApi(
        title="LeadConduit",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=HTTPBasicAuth("API", settings[names.API_KEY]),
        rates=(Rate("leadconduit", per_minute, 60),),
        credentials=(names.API_KEY,),
        secrets=(settings[names.API_KEY],),
    )


def _made_at(event_id: str) -> datetime:
    return datetime.fromtimestamp(int(event_id[:8], 16), UTC)


def id_before(event_id: str, *, seconds: int) -> str:
    """The first possible id ``seconds`` before an event's."""
    return f"{max(0, int(event_id[:8], 16) - seconds):08x}{ID_TAIL}"


def lead_of(event: Record) -> Record:
    """A source event as a row of ``leads``. What stands beside the known fields, such as a step's
    answer under the step's own key, goes into ``appended``."""
    variables = event.get("vars") or {}
    lead = variables.get("lead") or {}
    known = {name: event[name] for name in names.LEAD_COLUMNS if name in event}
    others = {name: value for name, value in event.items() if name not in known}
    return {
        **known,
        **{name: _from_ms(event.get(name)) for name in TIMES},
        **{name: plain(lead.get(name)) for name in LEAD_VALUES},
        "lead_id": lead.get("id"),
        "submission_timestamp": (variables.get("submission") or {}).get("timestamp"),
        "flow_id": (variables.get("flow") or {}).get("id"),
        "flow_name": (variables.get("flow") or {}).get("name"),
        "source_id": (variables.get("source") or {}).get("id"),
        "source_name": (variables.get("source") or {}).get("name"),
        "appended": {**(event.get("appended") or {}), **others},
    }


def plain(value: Any) -> Any:
    """A rich value's text: LeadConduit sends a string, or an object that explains it."""
    if not isinstance(value, dict):
        return value
    found = (value.get(name) for name in ("normal", "value", "raw"))
    return next((text for text in found if text is not None), json.dumps(value))


def _from_ms(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(int(value) / 1000, UTC)
