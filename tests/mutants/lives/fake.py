"""A CRM in memory with every kind of cursor and of keys; its table is verified by the first reading
alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from ingestion.services.runs.verification import verify_model
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import ModelResult, Verdict
from ingestion.sync.common.source import Model, Record
from ingestion.sync.load import reading
from ingestion.sync.load.pipeline import run_model
from tests.fake_crm import FAKE, LEADS, FakeSource
from tests.mutants.lives.stage import Life, Stage, outcome_of
from tests.mutants.outcome import Outcome
from tests.sync_world import World

CHICAGO = ZoneInfo("America/Chicago")


@dataclass
class FakeStage:
    """``cursor_of`` gives the cursor of a moment."""

    stage: Stage
    source: FakeSource
    model: Model
    cursor_of: Callable[[datetime], Any]

    def __post_init__(self) -> None:
        warehouse = self.stage.world.use(FAKE.name, {}).warehouse
        self.records: list[Record] = self.source.records.setdefault(self.model.name, [])
        folder = self.stage.world.pipelines_dir
        self.world = World(self.source, "", folder, warehouse, list_keys_every=timedelta(0))

    def put(self, key: int, days: float | None, name: str = "") -> None:
        """A record that was changed so many days from now; None: that tells no time."""
        self.records[:] = [r for r in self.records if r["id"] != key]
        at = None if days is None else self.cursor_of(self.stage.now + timedelta(days=days))
        self.records.append({"id": key, "name": name or f"Person {key}", self._cursor: at})

    def drop(self, *keys: int) -> None:
        self.records[:] = [r for r in self.records if r["id"] not in keys]

    def sync(self, mode: str = "delta", verdict: Verdict | None = None, **options: Any) -> None:
        """Raises SyncError."""
        run = replace(self.world.prepared(self.model, mode=mode, **options), verdict=verdict)
        self.stage.note(run_model(run, ModelResult(self.model.name)).warning)

    def outcome(self) -> Outcome:
        warehouse = self.stage.world.warehouse
        report = verify_model(FAKE, self.model, self.source, warehouse, SilentReporter())
        return outcome_of(self.stage, self.model.name, report)

    @property
    def _cursor(self) -> str:
        return self.model.cursor or "updated_at"


Script = Callable[[FakeStage], None]
Source = Callable[[], FakeSource]


def life(
    script: Script,
    model: Model = LEADS,
    source: Source = FakeSource,
    cursor_of: Callable[[datetime], Any] = lambda at: at,
) -> Life:
    def played(stage: Stage) -> Outcome:
        fake = FakeStage(stage, source(), model, cursor_of)
        script(fake)
        return fake.outcome()

    return played


def comes_on_time(fake: FakeStage) -> None:
    """Later ones, some of them of the last moment, and one without a cursor, are in the next delta."""
    for key in range(1, 8):
        fake.put(key, -8 + key)
    fake.put(8, None)
    for days in (-0.9, -0.5, -0.1):
        fake.sync()
        fake.put(7, days, "later")
        fake.put(round(20 - 10 * days), days)
        fake.put(8, None, f"at {days}")
    fake.sync()
    fake.put(30, -0.1, "of the same moment")
    fake.sync()


def comes_late(fake: FakeStage) -> None:
    """Within the overlap: what was not visible yet when the run before read."""
    fake.put(1, -3)
    fake.put(2, -2)
    fake.sync()
    fake.put(3, -2 - 50 / 86_400)
    fake.sync()
    fake.put(4, -2)
    fake.put(5, -1)
    fake.sync()
    fake.put(6, -1 - 59 / 86_400)
    fake.sync()


def is_of_the_future(fake: FakeStage) -> None:
    """A clock that runs ahead is no watermark: what comes now lies before it."""
    for key, days in enumerate((-3, -2, 30, 400), start=1):
        fake.put(key, days)
    fake.sync()
    fake.put(5, -1)
    fake.put(3, 31, "moved on")
    fake.sync()
    fake.put(6, -0.5)
    fake.put(7, 0.01)
    fake.sync()
    fake.put(8, -0.2)
    fake.sync()


def is_of_the_future_alone(fake: FakeStage) -> None:
    fake.put(1, 30)
    fake.sync()
    fake.put(2, -1)
    fake.sync()
    fake.put(3, -0.5)
    fake.sync()


def is_set_back(fake: FakeStage) -> None:
    """To an earlier state; what comes then lies before the watermark."""
    for key in range(1, 30):
        fake.put(key, -40 + key)
    fake.sync()
    fake.put(29, -20, "as it was")
    for key in range(25, 29):
        fake.put(key, -19, "as it was")
    fake.sync()
    fake.put(40, -15)
    fake.sync()
    fake.put(41, -14)
    fake.sync()


def loses_the_last(fake: FakeStage) -> None:
    """The record of the watermark is edited back in time."""
    for key in range(1, 30):
        fake.put(key, -40 + key)
    fake.sync()
    fake.put(29, -30, "older")
    fake.put(28, -29, "older")
    fake.sync()
    fake.put(28, -12.8, "newer")
    fake.put(50, -12.5)
    fake.sync()
    fake.put(51, -12)
    fake.sync("full")
    fake.put(52, -11.5)
    fake.sync()


def is_set_back_a_little(fake: FakeStage) -> None:
    """So that the next delta still finds a record, within the overlap; the others are as they were."""
    second = 1 / 86_400
    for key in range(1, 20):
        fake.put(key, -40 + key)
    fake.put(30, -2 - 40 * second)
    fake.put(31, -2)
    fake.sync()
    fake.drop(31)
    fake.put(5, -39, "as it was")
    fake.sync()
    fake.put(32, -2 - 30 * second)
    fake.sync()


def has_no_cursor(fake: FakeStage) -> None:
    """Records of a whole page come without the field."""
    for key in range(1, 20):
        fake.put(key, -40 + key)
    fake.sync()
    fake.records[:] = [{"id": key, "name": "without"} for key in range(1, 21)]
    fake.sync()
    fake.put(30, -2)
    fake.sync()


def comes_in_small_batches(fake: FakeStage) -> None:
    with patch.object(reading, "BATCH_RECORDS", 4), patch.object(reading, "BATCH_BYTES", 1):
        fake.source.page_size = 3
        comes_on_time(fake)
        fake.source.page_size = 9
        fake.sync("full")
        fake.put(60, -0.05)
        fake.sync()


def is_read_in_parts(fake: FakeStage) -> None:
    """What somebody asked for by date, by count or of a week moves no watermark."""
    for key in range(1, 20):
        fake.put(key, -40 + key)
    fake.sync()
    for key in range(21, 40):
        fake.put(key, -40 + key)
    now = fake.stage.now
    fake.sync(start_date=now - timedelta(days=2))
    fake.sync(start_date=now - timedelta(days=10), end_date=now - timedelta(days=3))
    fake.sync(end_date=now - timedelta(days=30))
    fake.sync("force7")
    fake.sync(max_records=3)
    fake.sync("full", max_records=3)
    fake.sync()
    fake.put(45, -0.5)
    fake.put(46, -8, "of more than a week ago")
    fake.sync("force7")
    fake.put(46, -6.9, "of this week")
    fake.sync("force7")


def fails_on_the_way(fake: FakeStage) -> None:
    """What a run that failed has read moves no watermark."""
    for key in range(1, 30):
        fake.put(key, -40 + key)
    fake.source.page_size = 5
    fake.sync()
    for key in range(31, 60):
        fake.put(key, -10 + key / 10)

    def fail(model: str, number: int) -> None:
        if number == 4:
            raise SyncError("the network is away")

    fake.source.on_page = fail
    try:
        fake.sync()
    except SyncError:
        fake.stage.note("failed: the network is away")
    fake.source.on_page = lambda model, number: None
    fake.sync()


def object_id(at: datetime) -> str:
    return f"{int(at.timestamp()):08x}{'0' * 16}"


def epoch(unit: int) -> Callable[[datetime], int]:
    return lambda at: int(at.timestamp() * unit)


def naive(at: datetime) -> datetime:
    return at.astimezone(CHICAGO).replace(tzinfo=None)


class InChicago(FakeSource):
    """Its times have no zone."""

    zone = CHICAGO


def _with_cursor(kind: str) -> Model:
    return replace(LEADS, columns={**LEADS.columns, "updated_at": kind})


# A cursor's column, and how it tells a moment. What is no time has no overlap.
CURSORS: Mapping[str, tuple[str, Source, Callable[[datetime], Any]]] = {
    "moments": ("timestamp", FakeSource, lambda at: at),
    "times without a zone": ("datetime", InChicago, naive),
    "texts": ("text", FakeSource, lambda at: at.astimezone(UTC).isoformat()),
    "object ids": ("text", FakeSource, object_id),
    "seconds": ("bigint", FakeSource, epoch(1)),
    "milliseconds": ("bigint", FakeSource, epoch(10**3)),
    "microseconds": ("bigint", FakeSource, epoch(10**6)),
    "numbers": ("bigint", FakeSource, lambda at: int(at.timestamp() // 100_000)),
}
SCRIPTS: Mapping[str, Script] = {
    "on time": comes_on_time,
    "of the future": is_of_the_future,
    "of the future alone": is_of_the_future_alone,
    "set back": is_set_back,
    "loses the last": loses_the_last,
    "fails on the way": fails_on_the_way,
}
# A number that tells no moment is in no future.
NOT_OF_NUMBERS = frozenset({"of the future", "of the future alone"})

LIVES: Mapping[str, Life] = {
    **{
        f"{kind} {name}": life(script, _with_cursor(column), source, cursor_of)
        for kind, (column, source, cursor_of) in CURSORS.items()
        for name, script in SCRIPTS.items()
        if not (kind == "numbers" and name in NOT_OF_NUMBERS)
    },
    "moments set back a little": life(is_set_back_a_little),
    "moments without the field": life(has_no_cursor),
    "moments in small batches": life(comes_in_small_batches),
    "moments late": life(comes_late),
    "moments in parts": life(is_read_in_parts),
}
