"""MarketSharp's answers, read a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from lxml import etree

from ingestion.sync.common.names import column_name
from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.marketsharp import settings as names
from ingestion.sync.marketsharp.settings import EntityModel
from ingestion.sync.marketsharp.source import _api
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of, xml_of
from ingestion.sync.raw.reader import Abilities, Count, RawRecord, StoredRow

METADATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"


class RawReader(reader.RawReader):
    """Entities in Atom and in both forms of JSON."""

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self.zone = time_zone(self.settings, names.TIME_ZONE)
        self._asker = Asker(_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        return Abilities(raw="answers", count="$count", look_up="$filter by id")

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if path_of(answer).endswith(f"/{cast(EntityModel, model).entity_set}"):
            yield from _records(model, answer)

    def count(self, model: Model) -> Count | None:
        answer = self._asker.get(f"/{cast(EntityModel, model).entity_set}/$count")
        text = answer.content.decode("utf-8-sig", "replace").strip() if answer else ""
        return Count(int(text)) if text.isdigit() else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        (key,) = model.key
        ids = [row[column_name(key)] for row in rows if column_name(key) in row]
        wanted = " or ".join(f"{key} eq '{i.replace(chr(39), chr(39) * 2)}'" for i in ids)
        path = f"/{cast(EntityModel, model).entity_set}"
        answer = self._asker.get(path, {"$filter": wanted, "$top": len(ids)})
        return list(_records(model, answer)) if answer else None


def _records(model: Model, answer: Heard) -> Iterator[RawRecord]:
    for fields in _entities(answer):
        yield RawRecord((str(fields.get(model.key[0]) or ""),), fields)


def _entities(answer: Heard) -> Iterator[Mapping[str, Any]]:
    found = json_of(answer.content, answer.content_type)
    if found is None:
        root = xml_of(answer.content, answer.content_type)
        for entity in root.iter(f"{METADATA}properties") if root is not None else ():
            yield {item.tag.rpartition("}")[2]: _value(item) for item in entity}
        return
    is_bare = isinstance(found, dict) and isinstance(found.get("d"), list)
    for row in objects_at(found, "d") if is_bare else objects_at(found, "d", "results"):
        yield {n: v for n, v in row.items() if n != "__metadata" and not _is_deferred(v)}


def _is_deferred(value: Any) -> bool:
    return isinstance(value, dict) and "__deferred" in value


def _value(item: etree._Element) -> Any:
    if item.get(f"{METADATA}null") == "true":
        return None
    kind, text = item.get(f"{METADATA}type", ""), item.text or ""
    if kind == "Edm.Boolean":
        return text == "true"
    is_number = kind.startswith("Edm.Int") or kind in ("Edm.Byte", "Edm.Double")
    return Decimal(text) if is_number else text
