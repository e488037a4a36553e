"""Order, limits, places and views, as every store must keep them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import InvalidLimit
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from tests.contract.stores import AGAIN, OpenPool, Pool, a_task

STRICT = PoolPolicy(priority_aging_seconds=0)


class TestOrder:
    @pytest.mark.parametrize("policy", [PoolPolicy(), STRICT])
    def test_equal_priorities_run_first_in_first_out(
        self, open_pool: OpenPool, policy: PoolPolicy
    ) -> None:
        pool = open_pool(policy)
        pool.store.set_limit(100)
        crms = ["hubspot", "genius", "arrivy"]
        ids = [pool.submit(crms[n % 3]) for n in range(60)]
        assert pool.queue() == ids
        assert pool.claim() == ids

    def test_submission_times_are_unique_and_rising(self, pool: Pool) -> None:
        times = [pool.store.submit(a_task()).queued_at for _ in range(50)]
        assert times == sorted(set(times))

    @pytest.mark.parametrize("policy", [PoolPolicy(), STRICT])
    def test_the_higher_priority_runs_first(self, open_pool: OpenPool, policy: PoolPolicy) -> None:
        pool = open_pool(policy)
        pool.store.set_limit(100)
        ids = {p: pool.submit(priority=p) for p in (0, -1000, 5, 1000, -1, 4)}
        expected = [ids[p] for p in sorted(ids, reverse=True)]
        assert pool.queue() == expected
        assert pool.claim() == expected

    def test_a_level_is_worth_an_hour_of_waiting(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(priority_aging_seconds=3600))
        low = pool.submit(priority=0)
        pool.let_pass(3500)
        high = pool.submit(priority=1)
        pool.let_pass(200)
        late = pool.submit(priority=1)
        assert pool.queue() == [high, low, late]

    def test_strict_priority_never_ages(self, open_pool: OpenPool) -> None:
        pool = open_pool(STRICT)
        low = pool.submit(priority=0)
        pool.let_pass(10 * 365 * 86_400)
        high = pool.submit(priority=1)
        assert pool.queue() == [high, low]

    def test_the_order_is_that_of_all_crms_together(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        held = pool.held()
        a, b, c = pool.submit("genius"), pool.submit("arrivy"), pool.submit("genius", priority=1)
        assert pool.queue() == [c, a, b]
        for before, expected in ((held, c), (c, a), (a, b)):
            pool.finish(before)
            assert pool.active() == {expected}


class TestPages:
    def test_a_page_is_a_part_of_the_order(self, pool: Pool) -> None:
        ids = [pool.submit(("a", "b", "c")[n % 3]) for n in range(10)]
        pages = [[t.id for t in pool.store.queued(offset=n, limit=4)] for n in (0, 4, 8, 12)]
        assert pages == [ids[:4], ids[4:8], ids[8:], []]

    def test_delayed_tasks_come_last_by_their_time(self, pool: Pool) -> None:
        later = pool.submit(not_before=utc_now() + timedelta(hours=2), priority=1000)
        sooner = pool.submit(not_before=utc_now() + timedelta(hours=1))
        now = pool.submit()
        assert pool.queue() == [now, sooner, later]
        assert [t.id for t in pool.store.queued(offset=1, limit=1)] == [sooner]
        assert [t.id for t in pool.store.queued(offset=0, limit=2)] == [now, sooner]
        assert [t.id for t in pool.store.queued(offset=2)] == [later]
        assert pool.store.queued(limit=0) == ()

    def test_more_than_one_page_of_the_store_is_walked(self, pool: Pool) -> None:
        pool.store.restore(
            [a_task(("a", "b")[n % 2], id=f"{n:05}", queued_at=utc_now()) for n in range(1203)]
        )
        ids = [f"{n:05}" for n in range(1203)]
        assert pool.queue() == ids
        assert [t.id for t in pool.store.queued(offset=100, limit=1000)] == ids[100:1100]


class TestNotBefore:
    def test_a_delayed_task_waits_for_its_time(self, pool: Pool) -> None:
        task_id = pool.submit(not_before=utc_now() + timedelta(seconds=100))
        assert pool.claim() == []
        pool.let_pass(101)
        assert pool.claim() == [task_id]

    def test_then_it_stands_where_its_submission_puts_it(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        first = pool.submit(not_before=utc_now() + timedelta(seconds=100))
        pool.submit()
        pool.let_pass(101)
        assert pool.claim() == [first]

    def test_a_time_in_the_past_delays_nothing(self, pool: Pool) -> None:
        task_id = pool.submit(not_before=utc_now() - timedelta(seconds=1))
        assert pool.claim() == [task_id]


class TestLimit:
    def test_the_default_holds_until_one_is_set(self, open_pool: OpenPool) -> None:
        limit = open_pool(PoolPolicy(default_max_workers=4)).store.limit()
        assert (limit.max_workers, limit.set_at, limit.set_by) == (4, None, "")

    def test_it_is_kept_with_who_when_and_why(self, pool: Pool) -> None:
        pool.store.set_limit(5, change=ChangeRequest(by="alice", reason="month's end"))
        limit = pool.store.limit()
        assert (limit.max_workers, limit.set_by, limit.reason) == (5, "alice", "month's end")
        assert limit.set_at is not None
        assert pool.store.snapshot().limit == limit

    @pytest.mark.parametrize("wrong", [0, -1, 1001, True, 2.5, "3", None])
    def test_nonsense_is_refused_and_changes_nothing(self, pool: Pool, wrong: object) -> None:
        with pytest.raises(InvalidLimit, match="from 1 to 1000"):
            pool.store.set_limit(wrong, change=ChangeRequest(by="alice"))  # type: ignore[arg-type]
        assert pool.store.limit().set_at is None

    def test_raising_it_opens_slots(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(5)]
        pool.claim()
        pool.store.set_limit(4, change=ChangeRequest(by="alice"))
        assert pool.claim() == ids[2:4]

    def test_lowering_it_stops_nothing_and_starts_nothing(self, pool: Pool) -> None:
        first, second = pool.held(), pool.held()
        pool.store.set_limit(1, change=ChangeRequest(by="alice"))
        waiting = pool.submit()
        pool.finish(first)
        assert pool.active() == {second}
        pool.finish(second)
        assert pool.active() == {waiting}


class TestWorkers:
    def test_no_more_are_started_than_the_workers_can_carry(self, pool: Pool) -> None:
        pool.store.set_limit(10)
        pool.store.worker_seen("w1", capacity=2)
        pool.store.worker_seen("w2", capacity=1)
        ids = [pool.submit() for _ in range(5)]
        assert pool.claim() == ids[:3]
        assert pool.store.snapshot().effective_limit == 3

    def test_nothing_is_started_while_all_are_offline(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(worker_ttl_seconds=60))
        pool.store.worker_seen("w1", capacity=2)
        pool.let_pass(61)
        task_id = pool.submit()
        assert pool.claim() == []
        assert pool.store.snapshot().no_worker_online
        pool.store.worker_seen("w1", capacity=2)
        assert pool.claim() == [task_id]

    def test_a_goodbye_counts_at_once_and_is_not_forgotten(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2)
        pool.store.worker_gone("w1")
        pool.submit()
        assert pool.claim() == []
        (worker,) = pool.store.snapshot().workers
        assert (worker.name, worker.capacity, worker.is_online) == ("w1", 0, False)
        pool.let_pass(30 * 86_400)
        assert pool.claim() == []

    def test_a_goodbye_of_a_stranger_means_nothing(self, pool: Pool) -> None:
        pool.store.worker_gone("w9")
        assert pool.store.snapshot().workers == ()

    def test_the_latest_capacity_counts(self, pool: Pool) -> None:
        pool.store.set_limit(10)
        pool.store.worker_seen("w1", capacity=2)
        pool.store.worker_seen("w1", capacity=5)
        assert pool.store.snapshot().effective_limit == 5

    def test_one_unseen_for_a_day_is_forgotten_when_another_is_seen(self, pool: Pool) -> None:
        pool.store.worker_seen("old", capacity=2)
        pool.let_pass(86_401)
        assert [w.name for w in pool.store.snapshot().workers] == ["old"]
        pool.store.worker_seen("new", capacity=2)
        assert [w.name for w in pool.store.snapshot().workers] == ["new"]

    def test_a_finish_starts_nothing_while_all_are_offline(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.worker_seen("w1", capacity=2)
        pool.store.worker_gone("w1")
        waiting = pool.submit()
        pool.finish(task_id)
        assert pool.queue() == [waiting]


class TestClearQueue:
    def test_all_that_waits_is_cancelled_and_returned_in_order(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        running = pool.held()
        delayed = pool.submit(not_before=utc_now() + timedelta(hours=1))
        ids = [pool.submit(("a", "b")[n % 2]) for n in range(250)]
        cleared = pool.store.clear_queue(change=ChangeRequest(reason="by alice"))
        assert [task.id for task in cleared] == [*ids, delayed]
        assert {(t.status, t.error_message) for t in cleared} == {("cancelled", "by alice")}
        assert pool.queue() == []
        assert pool.active() == {running}
        assert pool.counter("cancelled") == 251

    def test_it_stops_at_the_limit_given(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(5)]
        assert [t.id for t in pool.store.clear_queue(limit=2)] == ids[:2]
        assert pool.queue() == ids[2:]

    def test_an_empty_queue_gives_nothing(self, pool: Pool) -> None:
        assert pool.store.clear_queue() == ()


class TestRestore:
    def test_tasks_take_their_old_places(self, pool: Pool) -> None:
        new = pool.submit()
        hour_ago = utc_now() - timedelta(hours=1)
        old = [
            a_task(("a", "b")[n % 2], queued_at=hour_ago + timedelta(seconds=n)) for n in range(3)
        ]
        assert pool.store.restore([old[2], old[0], old[1]]) == 3
        assert pool.queue() == [t.id for t in old] + [new]
        assert [t.queued_at for t in pool.store.queued()][:3] == [t.queued_at for t in old]

    def test_nothing_is_left_of_an_earlier_attempt_but_its_number(self, pool: Pool) -> None:
        started = utc_now() - timedelta(minutes=5)
        lost = a_task(
            status=TaskStatus.RUNNING,
            attempt=1,
            max_attempts=2,
            worker="w1",
            started_at=started,
            confirmed_at=started,
            last_heartbeat=started,
            lease_expires_at=started,
            celery_task_id="x.1",
        )
        pool.store.restore([lost])
        task = pool.task(lost.id)
        assert (task.status, task.attempt, task.max_attempts) == (TaskStatus.QUEUED, 1, 2)
        assert task.worker is task.started_at is task.confirmed_at is task.celery_task_id is None
        pool.claim()
        assert pool.task(lost.id).attempt == 2

    def test_known_and_ended_tasks_are_left_alone(self, pool: Pool) -> None:
        finished = pool.task(pool.finished())
        queued = pool.task(pool.submit())
        ended = a_task(status=TaskStatus.FAILED)
        missing = a_task()
        again = WorkerTask.from_dict({**finished.to_dict(), "status": "queued"})
        assert pool.store.restore([again, queued, ended, missing]) == 1
        assert pool.status(finished.id) == TaskStatus.COMPLETED
        assert pool.store.get(ended.id) is None
        assert pool.queue() == [queued.id, missing.id]

    def test_a_time_in_the_future_counts_as_now(self, pool: Pool) -> None:
        ahead = a_task(queued_at=utc_now() + timedelta(days=1))
        pool.store.restore([ahead])
        later = pool.submit()
        assert pool.queue() == [ahead.id, later]

    def test_equal_times_keep_the_order_given(self, pool: Pool) -> None:
        same = utc_now()
        tasks = [a_task(queued_at=same) for _ in range(20)]
        pool.store.restore(tasks)
        assert pool.queue() == [t.id for t in tasks]

    def test_the_next_submission_comes_after_all_of_them(self, open_pool: OpenPool) -> None:
        pool = open_pool(STRICT)
        same = utc_now() + timedelta(seconds=1)
        old = [a_task(queued_at=same) for _ in range(300)]
        pool.store.restore(old)
        new = pool.submit()
        assert pool.queue() == [*(t.id for t in old), new]

    def test_a_delayed_task_stays_delayed(self, pool: Pool) -> None:
        task = a_task(not_before=utc_now() + timedelta(hours=1))
        pool.store.restore([task])
        assert pool.store.snapshot().delayed_count == 1

    def test_nothing_to_restore_is_fine(self, pool: Pool) -> None:
        assert pool.store.restore([]) == 0


class TestReset:
    def test_nothing_is_left(self, pool: Pool) -> None:
        pool.held()
        pool.finished()
        pool.submit()
        pool.store.set_limit(7, change=ChangeRequest(by="alice"))
        pool.store.worker_seen("w1", capacity=2)
        assert pool.store.reset() > 0
        snapshot = pool.store.snapshot()
        assert (snapshot.active, snapshot.queued, snapshot.workers) == ((), (), ())
        assert snapshot.counters == {}
        assert snapshot.limit.set_at is None
        assert pool.store.reset() == 0


class TestSnapshot:
    def test_it_shows_everything(self, pool: Pool) -> None:
        pool.store.set_limit(1, change=ChangeRequest(by="alice"))
        held = pool.held()
        delayed = pool.submit(not_before=utc_now() + timedelta(hours=1))
        first, second = pool.submit(), pool.submit(priority=1)
        snapshot = pool.store.snapshot(queue_limit=1)
        assert [t.id for t in snapshot.active] == [held]
        assert [t.id for t in snapshot.queued] == [second]
        assert [t.id for t in snapshot.delayed] == [delayed]
        assert (snapshot.queued_count, snapshot.delayed_count) == (2, 1)
        assert snapshot.oldest_queued_at == pool.task(first).queued_at
        assert snapshot.counters == {"started": 1, "submitted": 4}
        assert snapshot.dead_letters == {}
        assert snapshot.to_dict()["utilization"] == 100.0

    def test_without_a_queue_limit_of_its_own_only_the_counts_are_whole(self, pool: Pool) -> None:
        for _ in range(3):
            pool.submit()
        snapshot = pool.store.snapshot(queue_limit=0)
        assert (snapshot.queued, snapshot.queued_count) == ((), 3)

    def test_the_longest_running_comes_first(self, pool: Pool) -> None:
        first = pool.held()
        pool.let_pass(5)
        second = pool.held()
        pool.store.report_progress(first, attempt=1, progress={})
        assert [t.id for t in pool.store.active()] == [first, second]
        assert [t.id for t in pool.store.snapshot().active] == [first, second]

    def test_the_last_monitor_round_is_remembered(self, pool: Pool) -> None:
        assert pool.store.last_monitor_round() is None
        assert pool.store.snapshot().last_monitor_at is None
        noted = pool.store.note_monitor_round()
        assert pool.store.last_monitor_round() == noted
        assert pool.store.snapshot().last_monitor_at == noted
        pool.let_pass(60)
        assert pool.store.snapshot().monitor_age_seconds == pytest.approx(60, abs=30)

    def test_a_retry_that_waits_is_delayed(self, pool: Pool) -> None:
        pool.finish(pool.held(max_attempts=2), AGAIN)
        snapshot = pool.store.snapshot()
        assert (snapshot.queued_count, snapshot.delayed_count) == (0, 1)

    def test_the_store_answers(self, pool: Pool) -> None:
        pool.store.ping()
