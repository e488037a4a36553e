"""CallRail's answers, read a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ingestion.sync.callrail import settings as names
from ingestion.sync.callrail.settings import CallRailModel
from ingestion.sync.callrail.source import RETENTION, _api
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of, query_of
from ingestion.sync.raw.plain import Unclear, instant
from ingestion.sync.raw.reader import Abilities, Count, RawRecord, StoredRow

# Tags have no page of their own.
SINGLE = frozenset({"calls", "companies", "trackers", "users", "integrations"})
COUNTED = frozenset({"calls", "companies", "trackers", "users", "tags"})


class RawReader(reader.RawReader):
    """Lists as the API sends them."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._asker = Asker(_api(self.settings), context)
        self._account = f"/a/{self.settings[names.ACCOUNT_ID]}"

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        own = cast(CallRailModel, model)
        is_whole = own.part == "rows"
        return Abilities(
            raw="answers",
            count="total_records" if is_whole and own.array in COUNTED else "",
            look_up="one by one" if is_whole and own.array in SINGLE else "",
        )

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        own = cast(CallRailModel, model)
        if not path_of(answer).endswith(f"{self._account}/{own.array}.json"):
            return
        for found in objects_at(json_of(answer.content, answer.content_type), own.array):
            yield from _records(own, found, query_of(answer).get("company_id"))

    def count(self, model: Model) -> Count | None:
        own = cast(CallRailModel, model)
        if not self.abilities(model).count:
            return None
        params: dict[str, Any] = {"page": 1, "per_page": 1}
        if own.array == "calls":
            now = datetime.now(UTC)
            params["start_date"] = (now - RETENTION).date().isoformat()
            params["end_date"] = (now + timedelta(days=1)).date().isoformat()
        answer = self._asker.get_json(f"{self._account}/{own.array}.json", params)
        total = answer.get("total_records") if isinstance(answer, dict) else None
        return Count(total) if isinstance(total, int) else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        own = cast(CallRailModel, model)
        if not self.abilities(model).look_up:
            return None
        params = {"fields": names.CALL_FIELDS} if own.array == "calls" else None
        found: list[RawRecord] = []
        for row in rows:
            answer = self._asker.get_json(f"{self._account}/{own.array}/{row['id']}.json", params)
            if isinstance(answer, dict) and "id" in answer:
                found += _records(own, answer, row.get("company_id"))
        return found

    def finds_deleted(self, model: Model) -> bool:
        """Calls that are flagged as spam stand in no list; whether they can be looked up is not
        known."""
        return cast(CallRailModel, model).array != "calls"

    def is_forgotten(self, model: Model, row: StoredRow) -> bool:
        if cast(CallRailModel, model).array != "calls":
            return False
        oldest = datetime.now(UTC).replace(tzinfo=None) - RETENTION + timedelta(days=1)
        try:
            return instant(row.get("start_time"), UTC) < oldest
        except Unclear:
            return False


def _records(
    model: CallRailModel, found: Mapping[str, Any], company_id: str | None
) -> Iterator[RawRecord]:
    if model.part == "tags":
        yield from _tags(found)
        return
    fields = {name: value for name, value in found.items() if name != "signing_key"}
    if model.array == "integrations":
        fields["company_id"] = company_id
    if model.part == "webhooks":
        if found.get("type") != "Webhooks":
            return
        config = found.get("config") or {}
        own = {name: fields.get(name) for name in ("id", "company_id", "state")}
        fields = own | {name: config.get(name) or [] for name in names.WEBHOOKS}
    yield RawRecord((str(found["id"]),), fields)


def _tags(call: Mapping[str, Any]) -> Iterator[RawRecord]:
    for tag in call.get("tags") or ():
        known = tag if isinstance(tag, dict) else {"name": tag}
        key = known.get("id") if known.get("id") is not None else known.get("name")
        fields = {n: known.get(n) for n in ("name", "tag_level", "color")}
        fields |= {"tag_id": known.get("id"), "start_time": call.get("start_time")}
        yield RawRecord((str(call["id"]), str(key)), fields)
