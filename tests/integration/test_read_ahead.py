"""A model's next pages are fetched while earlier ones are loaded, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingestion.sync.common.errors import SyncCancelled, TransientError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import ModelResult
from ingestion.sync.load.pipeline import run_model
from tests.fake_crm import LEADS, USERS, people
from tests.sync_world import World, counts

PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("read ahead")]


@dataclass
class Begun:
    """Which pages a source has begun to read."""

    pages: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, model: str, number: int) -> None:
        with self._changed:
            self.pages.append(number)
            self.threads.add(threading.get_ident())
            self._changed.notify_all()

    def wait_for(self, number: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: number in self.pages, PATIENCE_SECONDS)


def test_the_next_page_is_asked_for_before_one_is_staged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.sync.load.stager import Stager

    begun, staged, stage = Begun(), list[int](), Stager.add

    def waits_for_the_next(self: Stager, batch: Any) -> None:
        number = len(staged)
        assert number == 3 or begun.wait_for(number + 1)
        staged.append(len(batch))
        stage(self, batch)

    monkeypatch.setattr(Stager, "add", waits_for_the_next)
    world.source.records["users"] = people(8_000)
    world.source.page_size = 2_000
    world.source.on_page = begun.note
    assert counts(world.run(USERS)) == (8_000, 8_000, 0, 0)
    assert staged == [2_000] * 4
    assert threading.get_ident() not in begun.threads


def test_small_pages_are_staged_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.sync.load.stager import Stager

    staged, stage = list[int](), Stager.add

    def noted(self: Stager, batch: Any) -> None:
        staged.append(len(batch))
        stage(self, batch)

    monkeypatch.setattr(Stager, "add", noted)
    world.source.records["users"] = people(4_500)
    world.source.page_size = 100
    assert counts(world.run(USERS)) == (4_500, 4_500, 0, 0)
    assert staged == [2_000, 2_000, 500]


def test_an_error_behind_a_page_is_raised_when_that_page_has_been_counted(world: World) -> None:
    error = TransientError("cut off")

    def fails(model: str, number: int) -> None:
        if number == 2:
            raise error

    world.source.records["users"] = people(300)
    world.run(USERS)
    world.source.records["users"] = people(900)
    world.source.on_page = fails
    result = ModelResult("users")
    with pytest.raises(TransientError) as caught:
        run_model(world.prepared(USERS), result)
    assert caught.value is error
    assert result.processed == 200
    assert world.ids(USERS) == list(range(1, 301))


def test_a_stop_in_the_middle_asks_for_no_more_than_what_is_ahead(world: World) -> None:
    begun = Begun()

    class StopsAfterTwoPages(SilentReporter):
        rows = 0

        def advance(self, model: str, *, rows: int) -> None:
            self.rows += rows
            if self.rows == 2_000:
                raise SyncCancelled("by ann")

    world.source.records["leads"] = people(20_000)
    world.source.page_size = 1_000
    world.source.on_page = begun.note
    with pytest.raises(SyncCancelled, match="by ann"):
        world.run(LEADS, reporter=StopsAfterTwoPages())
    # Two were taken, two wait: a batch; a third may be under way.
    assert max(begun.pages) <= 4
    world.source.on_page = Begun().note
    assert counts(world.run(LEADS)) == (20_000, 20_000, 0, 0)


def test_a_run_of_a_few_records_asks_for_no_page_too_many(world: World) -> None:
    begun = Begun()
    world.source.records["users"] = people(500)
    world.source.on_page = begun.note
    assert world.run(USERS, max_records=150).processed == 150
    assert begun.pages == [0, 1]


def test_where_the_source_fails_the_run_waits_for_nobody(world: World) -> None:
    """What is staged fails first: the thread that reads ahead ends with the run."""
    begun = Begun()
    world.source.records["users"] = people(50_000)
    world.source.page_size = 500
    world.source.on_page = begun.note

    class Breaks(SilentReporter):
        def advance(self, model: str, *, rows: int) -> None:
            raise ValueError("nobody foresaw this")

    with pytest.raises(Exception, match="nobody foresaw this"):
        world.run(USERS, reporter=Breaks())
    assert max(begun.pages) <= 5
