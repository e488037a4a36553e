"""Start ranges that are kept for a moment: true as long as nothing happens, and coming closer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.waiting import explainer as explain
from ingestion.services.waiting.cache import KEPT_SECONDS, MOST_KEPT, RecentSpans, Spans
from ingestion.services.waiting.explainer import Explainer
from ingestion.services.waiting.run_times import RunTimes
from ingestion.services.waiting.simulation import NOW, Span

START = datetime(2026, 1, 2, tzinfo=UTC)


class Reckoned:
    """What is reckoned, and how often it was."""

    def __init__(self, *spans: Span | None) -> None:
        self.spans: Spans = spans
        self.times = 0
        self.recent = RecentSpans()

    def look(self, seen: object = "queue", *, after_seconds: float = 0) -> Spans:
        return self.recent.of(seen, START + timedelta(seconds=after_seconds), self._reckon)

    def _reckon(self) -> Spans:
        self.times += 1
        return self.spans


def test_the_same_queue_is_reckoned_once_and_its_starts_come_closer() -> None:
    told = Reckoned(NOW, Span(2, 60), None)
    assert list(told.look()) == [NOW, Span(2, 60), None]
    assert list(told.look(after_seconds=5)) == [NOW, Span(0, 55), None]
    assert told.times == 1


def test_another_queue_is_reckoned_anew() -> None:
    told = Reckoned(Span(2, 60))
    told.look("one")
    told.look("another")
    told.look("one")
    assert told.times == 2


def test_after_a_while_it_is_reckoned_anew() -> None:
    told = Reckoned(Span(20, 60))
    told.look()
    told.look(after_seconds=KEPT_SECONDS)
    assert told.times == 2


def test_a_clock_that_was_set_back_gives_no_old_answer() -> None:
    told = Reckoned(Span(20, 60))
    told.look()
    told.look(after_seconds=-1)
    assert told.times == 2


def test_a_start_that_should_have_come_is_not_announced_again() -> None:
    told = Reckoned(Span(1, 3))
    told.look()
    assert list(told.look(after_seconds=4)) == [Span(1, 3)]
    assert told.times == 2


def test_few_are_kept() -> None:
    told = Reckoned(NOW)
    for seen in range(MOST_KEPT + 1):
        told.look(seen)
    told.look(0)
    assert told.times == MOST_KEPT + 2


class TestOfAPool:
    def pool(self) -> MemoryPoolStore:
        store = MemoryPoolStore(PoolPolicy(default_max_workers=1))
        store.worker_seen("celery@a", capacity=4)
        for n in range(3):
            store.submit(WorkerTask(f"t{n}", "t", "hubspot", "deals"))
        store.claim(token="1")
        return store

    def test_a_task_that_comes_ends_or_moves_makes_it_anew(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plays: list[int] = []
        spans = explain.spans

        def counted(*given: object) -> object:
            plays.append(1)
            return spans(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(explain, "spans", counted)
        store = self.pool()
        explainer = Explainer(RunTimes(lambda crm, kind: [60.0] * 20), default_max_workers=1)

        def look() -> int:
            explainer.explained(store.snapshot())
            return len(plays)

        assert (look(), look()) == (1, 1)
        store.submit(WorkerTask("t9", "t", "hubspot", "deals"))
        assert (look(), look()) == (2, 2)
        store.set_limit(2, change=ChangeRequest(by="ann"))
        assert (look(), look()) == (3, 3)
        store.cancel("t9")
        assert (look(), look()) == (4, 4)
