"""SalesRabbit's answers, read a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of
from ingestion.sync.raw.reader import Abilities, RawRecord, StoredRow
from ingestion.sync.salesrabbit.settings import SalesRabbitModel
from ingestion.sync.salesrabbit.source import OBJECT_FIELDS, _api

SAMPLED_PAGE = 10
EMPTY = frozenset({"", "[]", "{}", "null", '""', "0", "false"})


class RawReader(reader.RawReader):
    """Lists below ``data``. The API counts nothing."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._asker = Asker(_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        behind = "the pages behind the last known record"
        return Abilities("answers", "", "one by one", behind)

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if path_of(answer).endswith(cast(SalesRabbitModel, model).path):
            found = json_of(answer.content, answer.content_type)
            yield from map(_record, objects_at(found, "data"))

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        path = cast(SalesRabbitModel, model).path
        answers = [self._asker.get_json(f"{path}/{row['id']}") for row in rows]
        found = [answer.get("data") for answer in answers if isinstance(answer, dict)]
        return [_record(one) for one in found if isinstance(one, dict) and "id" in one]

    def sample(self, model: Model, rows: Sequence[StoredRow], known: int) -> list[RawRecord] | None:
        """In pages of another size."""
        path, last = cast(SalesRabbitModel, model).path, known // SAMPLED_PAGE + 1
        found: list[RawRecord] = []
        for page in (last, last + 1):
            answer = self._asker.get_json(path, {"page": page, "perPage": SAMPLED_PAGE})
            found += [_record(row) for row in objects_at(answer, "data")]
        return found


def _record(row: Mapping[str, Any]) -> RawRecord:
    # Objects that are empty come in any shape, and are landed as empty objects.
    empty: dict[str, Any] = {
        name: {} for name in OBJECT_FIELDS if name in row and _is_empty(row[name])
    }
    return RawRecord((str(row.get("id") or ""),), {**row, **empty}, bool(row.get("deletedAt")))


def _is_empty(value: Any) -> bool:
    return not value or (isinstance(value, str) and value.strip() in EMPTY)
