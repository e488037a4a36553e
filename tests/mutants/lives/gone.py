"""Rows that go: one by one, many at once, all; and rows that a source hides for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingestion.sync.common.run import Verdict
from ingestion.sync.common.source import Model, Page, Window
from tests.fake_crm import LEADS, USERS, FakeDatabase, FakeSource, FakeSummedDatabase
from tests.mutants.lives.fake import FakeStage, comes_on_time, life
from tests.mutants.lives.stage import Life


@dataclass
class Forgetful(FakeSource):
    """Leaves out the records of some keys, and says so."""

    lacks: frozenset[int] = frozenset()

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        for page in super().pages(model, window, batch_size=batch_size):
            yield replace(page, records=[r for r in page.records if r["id"] not in self.lacks])
        if self.lacks:
            yield Page((), unread="some could not be read")


class SummedDatabase(FakeSummedDatabase):
    """Lists its keys, too."""

    keys = FakeDatabase.keys


def is_not_all_read(fake: FakeStage) -> None:
    """What a page lacks by its own words is not taken for gone."""
    assert isinstance(fake.source, Forgetful)
    for key in range(1, 40):
        fake.put(key, -50 + key)
    fake.sync("full")
    fake.source.lacks = frozenset(range(20, 25))
    fake.sync("full", accept_deletions=True)
    fake.source.lacks = frozenset()


def goes(fake: FakeStage) -> None:
    """Rows go one by one, few at once, and come again."""
    for key in (*range(1, 40), *range(10_001, 10_020), *range(25_000, 25_020), 99_999, 100_000):
        fake.put(key, -100 + key % 50)
    fake.sync()
    for gone in ((3,), (10_001, 25_019), (99_999, 100_000), (5, 6, 25_000)):
        fake.drop(*gone)
        fake.put(sum(gone) + 7, -40)
        fake.sync()
    fake.put(3, -1)
    fake.put(10_001, -0.9)
    fake.sync()
    fake.drop(*range(25_000, 25_020))
    fake.sync()


def goes_in_a_full_run(fake: FakeStage) -> None:
    for key in range(1, 60):
        fake.put(key, -100 + key)
    fake.sync("full")
    fake.drop(7, 8)
    fake.sync("full")
    fake.drop(*range(10, 31))
    fake.sync("full", accept_deletions=True)
    fake.put(8, -1, "came again")
    fake.sync("full")
    rest = list(fake.records)
    fake.drop(*range(60))
    fake.sync("full")
    fake.records[:] = rest
    fake.sync("full")


def goes_in_great_numbers(fake: FakeStage) -> None:
    """They are held back until somebody has decided; what was hidden is there again at the end."""
    for key in range(1, 420):
        fake.put(key, -100 + key / 10)
    fake.sync("full")
    fake.drop(*range(1, 20))
    fake.sync("full")
    fake.drop(*range(20, 40))
    fake.sync("full")
    hidden = [record for record in fake.records if record["id"] < 60]
    fake.drop(*range(40, 60))
    fake.sync("full")
    fake.drop(60)
    fake.sync("full", Verdict("dismissed", 25))
    fake.sync("full", Verdict("accepted", 5))
    fake.records.extend(hidden)
    fake.sync("full")
    fake.drop(*range(100, 130))
    fake.sync("full", Verdict("accepted", 30))


def skips_rows_once(fake: FakeStage) -> None:
    """A pass that lacks rows which live proves nothing: the next pass has them."""
    for key in range(1, 60):
        fake.put(key, -100 + key)
    fake.sync("full")
    for _ in range(2):
        hidden, fake.records[10:14] = fake.records[10:14], []

        def show(model: str, number: int, hidden: Any = hidden) -> None:
            fake.records.extend(record for record in hidden if record not in fake.records)

        fake.source.on_page = show
        fake.sync("full")
        fake.source.on_page = lambda model, number: None


def is_all_reported(fake: FakeStage) -> None:
    """Nothing that lives comes, but for what the CRM reports as deleted; one is told by nobody."""
    for key in range(1, 12):
        fake.put(key, -100 + key)
    fake.sync("full")
    fake.records[:] = [{"id": key, "_deleted_at": fake.stage.now} for key in range(1, 11)]
    fake.sync("full")


def goes_altogether(fake: FakeStage) -> None:
    """An empty answer is believed by force only."""
    for key in range(1, 30):
        fake.put(key, -100 + key)
    fake.sync("full")
    rest = list(fake.records)
    fake.drop(*range(30))
    fake.sync("full", force=True)
    fake.records[:] = rest
    fake.sync("full")
    fake.drop(*range(1, 12))
    fake.sync("full")
    fake.drop(*range(12, 30))
    fake.sync("full", accept_deletions=True)
    fake.sync("full", force=True)


LIVES: Mapping[str, Life] = {
    "whole and not all read": life(is_not_all_read, USERS, Forgetful),
    "sums of keys": life(goes, LEADS, SummedDatabase),
    "listed keys": life(goes, LEADS, FakeDatabase),
    "whole": life(goes_in_a_full_run, USERS),
    "whole and in great numbers": life(goes_in_great_numbers, USERS),
    "whole and reported": life(is_all_reported, USERS),
    "whole and skipped": life(skips_rows_once, USERS),
    "whole and empty": life(goes_altogether, USERS),
    "sums of keys on time": life(comes_on_time, LEADS, SummedDatabase),
}
