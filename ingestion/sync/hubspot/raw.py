"""HubSpot's answers, read a second time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.hubspot.api import Paths, _http_api, search_rate
from ingestion.sync.hubspot.settings import HubspotModel
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of
from ingestion.sync.raw.reader import Abilities, Count, RawRecord, StoredRow

BATCH = 100
SAMPLED = 5
ENVELOPE = {
    "id": "id",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "archived": "archived",
}


class RawReader(reader.RawReader):
    """Objects, owners and associations as the API sends them."""

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._paths = Paths.of(self.settings["HUBSPOT_API_VERSION"].strip())
        self._search_rate = search_rate(self.settings)
        self._asker = Asker(_http_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        match cast(HubspotModel, model).reads:
            case "owners":
                return Abilities(raw="answers", sample="the first of each list")
            case "associations":
                return Abilities(raw="answers")
        return Abilities(
            *("answers", "total of a search", "batch read by id"),
            "search from a random id, and the first archived ones",
        )

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        own, path = cast(HubspotModel, model), path_of(answer)
        found = objects_at(json_of(answer.content, answer.content_type), "results")
        objects = f"{self._paths.objects}/{own.object_type}"
        match own.reads:
            case "objects" if path.endswith(
                (objects, f"{objects}/search", f"{objects}/batch/read")
            ):
                yield from map(_object, found)
            case "owners" if path.endswith(self._paths.owners):
                yield from map(_owner, found)
            case "associations" if f"{self._paths.associations}/" in path:
                from_type, to_type = path.split(f"{self._paths.associations}/")[1].split("/")[:2]
                for entry in found:
                    yield from _associations(from_type, to_type, entry)

    def count(self, model: Model) -> Count | None:
        if cast(HubspotModel, model).reads != "objects":
            return None
        answer = self._search(model, [], limit=1)
        return Count(int(answer["total"])) if isinstance(answer.get("total"), int) else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        own = cast(HubspotModel, model)
        if own.reads != "objects":
            return None
        body = {"properties": [], "inputs": [{"id": row["id"]} for row in rows[:BATCH]]}
        path = f"{self._paths.objects}/{own.object_type}/batch/read"
        answer = self._asker.post_json(path, body, archived="false")
        return [_object(found) for found in objects_at(answer, "results")]

    def sample(self, model: Model, rows: Sequence[StoredRow], known: int) -> list[RawRecord] | None:
        """The first records from random ids on, and behind the last, each by a search of its own;
        and the first archived ones, which no search finds."""
        own = cast(HubspotModel, model)
        ids = [int(row["id"]) for row in rows if row.get("id", "").isdigit()]
        if own.reads == "owners":
            lists = ("false", "true")
            return [_owner(o) for told in lists for o in self._listed(self._paths.owners, told)]
        if own.reads != "objects" or not ids:
            return None
        bounds = [random.randint(min(ids), max(ids)) for _ in range(SAMPLED)]
        bounds.append(max(ids) + 1)
        found: dict[tuple[str, ...], RawRecord] = {}
        for bound in bounds:
            above = {"propertyName": "hs_object_id", "operator": "GTE", "value": str(bound)}
            for one in objects_at(self._search(model, [above], limit=1), "results"):
                found[_object(one).key] = _object(one)
        archived = self._listed(f"{self._paths.objects}/{own.object_type}", "true")
        return [*found.values(), *map(_object, archived)]

    def _listed(self, path: str, archived: str) -> Iterator[dict[str, Any]]:
        answer = self._asker.get_json(path, {"limit": SAMPLED, "archived": archived})
        return objects_at(answer, "results")

    def _search(self, model: Model, filters: list[dict[str, str]], *, limit: int) -> dict[str, Any]:
        groups = [{"filters": filters}] if filters else []
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        body = {"filterGroups": groups, "sorts": sorts, "properties": [], "limit": limit}
        path = f"{self._paths.objects}/{cast(HubspotModel, model).object_type}/search"
        answer = self._asker.post_json(path, body, rates=(self._search_rate,))
        return answer if isinstance(answer, dict) else {}


def _owner(found: Mapping[str, Any]) -> RawRecord:
    return RawRecord((str(found["id"]),), found, bool(found.get("archived")))


def _object(found: Mapping[str, Any]) -> RawRecord:
    properties = found.get("properties") or {}
    own = {name: found.get(sent) for sent, name in ENVELOPE.items()}
    # A property with the name of something else is landed beside it.
    named = {
        f"property_{n}" if n in own or n == "_deleted_at" else n: v for n, v in properties.items()
    }
    return RawRecord(
        (str(found["id"]),), {**named, **own}, bool(found.get("archived")), is_part=True
    )


def _associations(from_type: str, to_type: str, entry: Mapping[str, Any]) -> Iterator[RawRecord]:
    from_id = str(entry.get("from", {}).get("id"))
    for to in objects_at(entry, "to"):
        for kind in objects_at(to, "associationTypes"):
            to_id, type_id = str(to["toObjectId"]), str(kind["typeId"])
            key = (from_type, from_id, to_type, to_id, kind["category"], type_id)
            yield RawRecord(key, {"label": kind.get("label")})
