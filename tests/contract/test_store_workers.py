"""What Celery workers say that they know, and what becomes of tasks that none of them does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingestion.pool.memory.page import MemoryPage
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus
from tests.contract.stores import OpenPool, Pool, a_task

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HUBSPOT, GENIUS = (f"ingestion.tasks.sync_{crm}_contacts" for crm in ("hubspot", "genius"))


class TestWhatWorkersKnow:
    def test_a_task_that_no_worker_knows_takes_no_slot(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(default_max_workers=1))
        pool.store.worker_seen("w1", capacity=2, task_names=[HUBSPOT])
        unknown = [pool.submit("genius") for _ in range(3)]
        known = pool.submit("hubspot")
        assert pool.claim() == [known]
        snapshot = pool.store.snapshot()
        assert {task.id for task in snapshot.delayed} == set(unknown)
        assert {task.attempt for task in snapshot.delayed} == {0}
        assert (snapshot.knows(HUBSPOT), snapshot.knows(GENIUS)) == (True, False)

    def test_it_starts_by_itself_when_such_a_worker_comes(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60))
        pool.store.worker_seen("old", capacity=2, task_names=[HUBSPOT])
        first, second = pool.submit("genius"), pool.submit("genius")
        assert pool.claim() == []
        pool.let_pass(50)
        pool.store.worker_seen("old", capacity=2, task_names=[HUBSPOT])
        pool.store.worker_seen("new", capacity=2, task_names=[HUBSPOT, GENIUS])
        pool.let_pass(11)
        assert pool.claim() == [first, second]

    def test_it_is_looked_at_again_after_each_dispatch_time(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=50))
        task_id = pool.submit("genius")
        for _ in range(3):
            pool.store.worker_seen("w1", capacity=2, task_names=[HUBSPOT])
            assert pool.claim() == []
            assert pool.store.snapshot().delayed_count == 1
            pool.let_pass(51)
        pool.store.worker_seen("w1", capacity=2, task_names=[GENIUS])
        assert pool.claim() == [task_id]

    def test_a_finish_skips_it_too(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        running = pool.held()
        pool.store.worker_seen("w1", capacity=2, task_names=[HUBSPOT])
        pool.submit("genius")
        known = pool.submit("hubspot")
        pool.finish(running)
        assert pool.active() == {known}

    def test_a_worker_that_does_not_say_may_know_it(self, pool: Pool) -> None:
        pool.store.worker_seen("new", capacity=1, task_names=[HUBSPOT])
        pool.store.worker_seen("older", capacity=1)
        task_id = pool.submit("genius")
        assert pool.claim() == [task_id]
        assert pool.store.snapshot().knows(GENIUS)

    def test_what_a_worker_that_has_gone_knew_does_not_count(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=1, task_names=[HUBSPOT])
        pool.store.worker_seen("w2", capacity=1, task_names=[GENIUS])
        pool.store.worker_gone("w2")
        pool.submit("genius")
        assert pool.claim() == []

    def test_a_worker_that_knows_nothing_gets_nothing(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2, task_names=[])
        pool.submit()
        assert pool.claim() == []
        (worker,) = pool.store.snapshot().workers
        assert worker.task_names == frozenset()

    def test_what_it_runs_is_known_until_it_goes(self, pool: Pool) -> None:
        pool.store.worker_seen("new@one", capacity=2, task_names=[HUBSPOT], release="2.0.0")
        pool.store.worker_seen("old@one", capacity=1)
        old, new = sorted(pool.store.snapshot().workers, key=lambda worker: worker.capacity)
        assert (old.release, new.release, new.is_leaving) == ("", "2.0.0", False)
        pool.store.worker_gone("new@one")
        left = {worker.name: worker for worker in pool.store.snapshot().workers}["new@one"]
        assert (left.is_online, left.is_leaving, left.release) == (False, True, "")
        (host,) = pool.store.snapshot().hosts
        assert (host.name, host.workers_online, host.workers_leaving) == ("one", 1, 1)

    def test_one_that_went_long_ago_is_not_leaving_any_more(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2)
        pool.store.worker_gone("w1")
        pool.let_pass(61)
        (worker,) = pool.store.snapshot().workers
        assert (worker.is_online, worker.is_leaving) == (False, False)

    def test_a_part_of_a_name_is_not_the_name(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2, task_names=[f"{HUBSPOT}_2"])
        pool.submit("hubspot")
        assert pool.claim() == []

    def test_a_user_may_still_cancel_or_hold_it(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2, task_names=[HUBSPOT])
        first, second = pool.submit("genius"), pool.submit("genius")
        pool.claim()
        assert pool.store.hold(first).is_held
        assert pool.store.cancel(second).status == TaskStatus.CANCELLED

    def test_it_is_admitted_and_starts_nothing(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2, task_names=[HUBSPOT])
        unknown, known = a_task("genius"), a_task("hubspot")
        assert pool.store.admit(unknown, token="1").started == ()
        assert [task.id for task in pool.store.admit(known, token="2").started] == [known.id]
        assert pool.status(unknown.id) == TaskStatus.QUEUED


def test_nothing_is_left_in_memory_of_a_worker_that_was_not_seen_for_a_day() -> None:
    """The ledger's store keeps all of it in one row."""
    now = [NOON]
    page = MemoryPage(PoolPolicy(), lambda: now[0])
    page.worker_seen("old", capacity=1, task_names=[HUBSPOT], release="1.0.0")
    now[0] += timedelta(days=1, seconds=1)
    page.worker_seen("new", capacity=1, task_names=[GENIUS], release="2.0.0")
    memory = page.memory()
    assert list(memory["workers"]) == ["new"]
    assert memory["worker_tasks"] == {"new": [GENIUS]}
    assert memory["worker_releases"] == {"new": "2.0.0"}
