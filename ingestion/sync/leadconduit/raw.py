"""LeadConduit's events, read a second time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.leadconduit import settings as names
from ingestion.sync.leadconduit.source import SOURCE_EVENTS, _api
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of
from ingestion.sync.raw.reader import Abilities, RawRecord, StoredRow

SAMPLED = 3
LEAD_VALUES = ("first_name", "last_name", "email", "phone_1", "city", "state", "postal_code")
NESTED = {
    "submission_timestamp": ("submission", "timestamp"),
    "flow_id": ("flow", "id"),
    "flow_name": ("flow", "name"),
    "source_id": ("source", "id"),
    "source_name": ("source", "name"),
}


class RawReader(reader.RawReader):
    """Source events. The API counts nothing; a list can be read backwards from any event."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._asker = Asker(_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        backwards = "the list read backwards from an event"
        return Abilities(raw="answers", look_up=backwards, sample=f"{backwards}, chosen by chance")

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if path_of(answer).endswith("/events"):
            yield from _leads(json_of(answer.content, answer.content_type))

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        ids = [row["id"] for row in rows if _is_id(row.get("id", ""))]
        return [lead for i in ids for lead in self._before(int(i, 16) + 1)]

    def sample(self, model: Model, rows: Sequence[StoredRow], known: int) -> list[RawRecord] | None:
        """The last lead of all, and those before random ids."""
        ids = [int(row["id"], 16) for row in rows if _is_id(row.get("id", ""))]
        if not ids:
            return None
        bounds = [random.randint(min(ids), max(ids)) + 1 for _ in range(SAMPLED)]
        bounds.append(int("f" * 24, 16))
        leads = [lead for bound in bounds for lead in self._before(bound)]
        return list({lead.key: lead for lead in leads}.values())

    def is_forgotten(self, model: Model, row: StoredRow) -> bool:
        if not _is_id(row.get("id", "")):
            return False
        kept = timedelta(days=int(self.settings[names.RETENTION_DAYS]))
        made_at = datetime.fromtimestamp(int(row["id"][:8], 16), UTC)
        return made_at < datetime.now(UTC) - kept + timedelta(days=1)

    def _before(self, event_id: int) -> list[RawRecord]:
        params = {"before_id": f"{event_id:024x}", "sort": "desc", "limit": 1}
        return list(_leads(self._asker.get_json("/events", {**params, "rules": SOURCE_EVENTS})))


def _is_id(text: str) -> bool:
    return len(text) == 24 and all(c in "0123456789abcdef" for c in text)


def _leads(events: Any) -> Iterator[RawRecord]:
    for event in objects_at({"events": events}, "events"):
        if event.get("type") == "source":
            yield _lead(event)


def _lead(event: Mapping[str, Any]) -> RawRecord:
    told = event.get("vars") or {}
    lead = told.get("lead") or {}
    nested = {n: (told.get(part) or {}).get(of) for n, (part, of) in NESTED.items()}
    of_lead = {name: _plain(lead.get(name)) for name in LEAD_VALUES}
    own = {name: value for name, value in event.items() if name != "appended"}
    return RawRecord((str(lead.get("id") or ""),), {**own, **nested, **of_lead})


def _plain(value: Any) -> Any:
    """Rich values are objects that explain a text."""
    if not isinstance(value, dict):
        return value
    texts = [value[name] for name in ("normal", "value", "raw") if value.get(name) is not None]
    return texts[0] if texts else None
