"""SalesPro's answers, read a second time: Leap's, or the data lake's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of
from ingestion.sync.raw.reader import Abilities, Count, RawRecord, StoredRow
from ingestion.sync.salespro import settings as names
from ingestion.sync.salespro.athena import LAKE, AthenaBackend
from ingestion.sync.salespro.leap import _api
from ingestion.sync.salespro.settings import LeapModel

SINGLE = frozenset({"customers", "jobs"})


def RawReader(context: SourceContext) -> reader.RawReader:  # noqa: N802 - the room's name
    """Of the back end that is set."""
    is_leap = context.settings[names.BACKEND] == names.LEAP
    return LeapReader(context) if is_leap else LakeReader(context)


class LeapReader(reader.RawReader):
    """Lists below ``data``; what belongs to a row is wrapped in one more ``data``."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self.zone = time_zone(self.settings, names.TIME_ZONE)
        self._asker = Asker(_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        own = cast(LeapModel, model)
        is_counted = own.paged and not own.in_lead_stage
        return Abilities(
            raw="answers",
            count="meta.pagination.total" if is_counted else "",
            look_up="one by one" if own.name in SINGLE else "",
        )

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if path_of(answer).endswith(cast(LeapModel, model).path):
            found = json_of(answer.content, answer.content_type)
            yield from map(_record, objects_at(found, "data"))

    def count(self, model: Model) -> Count | None:
        if not self.abilities(model).count:
            return None
        found = self._asker.get_json(cast(LeapModel, model).path, {"limit": 1, "page": 1})
        for name in ("meta", "pagination", "total"):
            found = found.get(name) if isinstance(found, dict) else None
        return Count(found) if isinstance(found, int) else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        own = cast(LeapModel, model)
        if own.name not in SINGLE:
            return None
        answers = [self._asker.get_json(f"{own.path}/{row['id']}") for row in rows]
        found = [answer.get("data") for answer in answers if isinstance(answer, dict)]
        return [_record(one) for one in found if isinstance(one, dict) and "id" in one]


class LakeReader(reader.RawReader):
    """Pages of texts, the first row of the first one with the names; and queries of its own."""

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self.zone = time_zone(self.settings, names.TIME_ZONE)
        self._lake = AthenaBackend(context, self.zone)
        self._names: list[str] = []

    def close(self) -> None:
        self._lake.close()

    def abilities(self, model: Model) -> Abilities:
        is_table = model.name in LAKE
        return Abilities("answers", "COUNT(*)", "a query by key") if is_table else Abilities()

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if answer.target != "get_query_results" or model.name not in LAKE:
            return
        rows = _rows(json_of(answer.content))
        if "NextToken" not in json.loads(answer.sent) and rows:
            self._names, rows = [str(name) for name in rows[0]], rows[1:]
        yield from self._records(model, self._names, rows)

    def count(self, model: Model) -> Count | None:
        if model.name not in LAKE:
            return None
        rows = self._queried("COUNT(*)", model)
        return Count(int(rows[1][0] or 0)) if len(rows) > 1 else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        if model.name not in LAKE:
            return None
        (key,) = model.key
        texts = ", ".join(f"'{row[key].replace(chr(39), chr(39) * 2)}'" for row in rows)
        found = self._queried("*", model, f"{key} IN ({texts})")
        return list(self._records(model, [str(n) for n in found[0]], found[1:])) if found else []

    def _queried(self, what: str, model: Model, condition: str = "") -> list[list[str | None]]:
        """The names, then the rows; no more than fit into one answer."""
        table = LAKE[model.name]
        where = " AND ".join(filter(None, (table.where, condition)))
        rest = f" WHERE {where}" if where else ""
        return _rows(self._lake.first_answer(f'SELECT {what} FROM "{table.table}"{rest}'))  # noqa: S608

    def _records(
        self, model: Model, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
    ) -> Iterator[RawRecord]:
        for row in rows:
            fields = dict(zip(columns, row, strict=False))
            yield RawRecord(tuple(fields.get(name) or "" for name in model.key), fields)


def _rows(answer: Any) -> list[list[str | None]]:
    found = objects_at(answer, "ResultSet", "Rows")
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]


def _record(row: Mapping[str, Any]) -> RawRecord:
    return RawRecord((str(row.get("id") or ""),), {n: _bare(v) for n, v in row.items()})


def _bare(value: Any) -> Any:
    return value["data"] if isinstance(value, dict) and value.keys() == {"data"} else value
