"""Arrivy's answers, read a second time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ingestion.sync.arrivy import settings as names
from ingestion.sync.arrivy.settings import ArrivyModel
from ingestion.sync.arrivy.source import _api
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.raw import reader
from ingestion.sync.raw.asking import Asker
from ingestion.sync.raw.parsing import json_of, objects_at, path_of
from ingestion.sync.raw.reader import Abilities, RawRecord, StoredRow

SAMPLED_PAGE = 10
# Crews and bookings are not in the vendor's documentation.
SINGLE = frozenset({"/tasks", "/customers", "/entities"})


class RawReader(reader.RawReader):
    """Bare arrays, or those below ``results``. The API counts nothing."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self._asker = Asker(_api(self.settings), context)

    def close(self) -> None:
        self._asker.close()

    def abilities(self, model: Model) -> Abilities:
        is_single = cast(ArrivyModel, model).path in SINGLE
        behind = "the pages behind the last known record"
        return Abilities("answers", "", "one by one" if is_single else "", behind)

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        if not path_of(answer).endswith(cast(ArrivyModel, model).path):
            return
        yield from _records(json_of(answer.content, answer.content_type))

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        path = cast(ArrivyModel, model).path
        if path not in SINGLE:
            return None
        answers = [self._asker.get_json(f"{path}/{row['id']}") for row in rows]
        return [RawRecord((str(a["id"]),), a) for a in answers if isinstance(a, dict) and "id" in a]

    def sample(self, model: Model, rows: Sequence[StoredRow], known: int) -> list[RawRecord] | None:
        """In pages of another size, and of the schedule also the first of what is planned for later
        than its parts go: a query of all of it may be cut. Lists that know no pages give all that they
        have."""
        own = cast(ArrivyModel, model)
        last = known // SAMPLED_PAGE + 1
        span = self._span() if own.scheduled else {}
        found: list[RawRecord] = []
        for page in (last, last + 1):
            params = {**span, "items_per_page": SAMPLED_PAGE, "page": page}
            found += _records(self._asker.get_json(own.path, params))
        if own.scheduled:
            params = {**span, "from": self._later(), "items_per_page": SAMPLED_PAGE, "page": 1}
            found += _records(self._asker.get_json(own.path, params))
        return found

    def _later(self) -> str:
        ahead = timedelta(days=positive_int(self.settings, names.DAYS_AHEAD) + 1)
        return (datetime.now(UTC) + ahead).replace(microsecond=0).isoformat()

    def _span(self) -> dict[str, str]:
        """The whole schedule: nothing is planned for later than in twenty years."""
        ahead = datetime.now(UTC) + timedelta(days=20 * 365)
        begin = f"{self.settings[names.HISTORY_START]}T00:00:00+00:00"
        return {"from": begin, "to": ahead.replace(microsecond=0).isoformat()}


def _records(found: Any) -> Iterator[RawRecord]:
    rows = found if isinstance(found, dict) else {"results": found}
    for row in objects_at(rows, "results"):
        yield RawRecord((str(row.get("id") or ""),), row)
