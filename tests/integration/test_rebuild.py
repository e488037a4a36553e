"""What is lost in Redis comes back from the ledger: exactly, once, whoever notices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyConfirmed, LeaseLost
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis import rebuild as rebuild_module
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.system import embedded_redis
from tests.integration.failover_testbed import DONE, FailoverTestbed, epoch, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

MANY = 1000
AGAIN = Outcome(TaskStatus.FAILED, "HTTP 503", retry_in_seconds=600)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def actions(action: str) -> int:
    return AuditRecord.objects.filter(action=action).count()


def flush(bench: FailoverTestbed) -> None:
    bench.redis.flushall()


def test_a_flush_with_many_queued_and_two_running_loses_nothing(bench: FailoverTestbed) -> None:
    running = [bench.submit(), bench.submit()]
    for task_id in running:
        bench.confirm(task_id)
    queue = bench.submit_many(MANY)
    assert [task.id for task in bench.pool.get_queued_tasks()] == queue
    flush(bench)
    assert [task.id for task in bench.pool.get_queued_tasks()] == queue
    assert [task.id for task in bench.pool.get_active_tasks()] == running
    assert bench.pool.process_queue() == 0
    for task_id in running:
        bench.pool.renew_lease(task_id, attempt=1)
        bench.finish(task_id)
    assert bench.run_some(20) == queue[:20]
    assert bench.broker.ids == running + queue[:22]
    bench.store.set_limit(MANY)
    assert [task.id for task in bench.store.claim(token="the rest")] == queue[22:]
    assert actions("rebuild") == 1


def test_everything_of_a_task_comes_back(bench: FailoverTestbed) -> None:
    bench.pool.set_max_workers(1, change=ChangeRequest(by="ann", reason="month's end"))
    running = bench.submit(parameters={"full": True}, max_attempts=4)
    bench.confirm(running)
    bench.pool.cancel_task(running, change=ChangeRequest(by="bob", reason="too slow"))
    low, high = bench.submit(parameters={"n": [1, "ß"]}), bench.submit(priority=7)
    later = bench.submit(not_before=utc_now() + timedelta(hours=1), requested_by="cy")
    before = [bench.task(i) for i in (running, low, high, later)]
    flush(bench)
    after = [bench.task(i) for i in (running, low, high, later)]
    assert after[1:] == before[1:]
    moved = {"lease_expires_at": None, "last_heartbeat": None}
    assert replace(after[0], **moved) == replace(before[0], **moved)
    assert after[0].cancel_requested_at is not None
    assert after[0].lease_expires_at >= before[0].lease_expires_at
    assert [t.id for t in bench.pool.get_queued_tasks()] == [high, low, later]
    limit = bench.pool.snapshot().limit
    assert (limit.max_workers, limit.set_by, limit.reason) == (1, "ann", "month's end")


def test_an_attempt_that_waits_for_its_next_keeps_number_and_time(bench: FailoverTestbed) -> None:
    task_id = bench.submit(max_attempts=3)
    bench.confirm(task_id)
    before = bench.finish(task_id, AGAIN)
    flush(bench)
    assert bench.task(task_id) == before
    assert (before.status, before.attempt) == (TaskStatus.QUEUED, 1)


def test_what_has_ended_is_still_known(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.confirm(task_id)
    bench.finish(task_id)
    flush(bench)
    assert bench.task(task_id).status == TaskStatus.COMPLETED
    assert bench.store.forget_finished(max_age_seconds=0) == 1


@pytest.mark.parametrize(
    "notice",
    [
        lambda bench, held, queued: bench.pool.get_task_status(queued),
        lambda bench, held, queued: bench.pool.process_queue(),
        lambda bench, held, queued: bench.pool.renew_lease(held, attempt=1),
        lambda bench, held, queued: bench.pool.report_progress(held, attempt=1, progress={"a": 1}),
        lambda bench, held, queued: bench.finish(held),
        lambda bench, held, queued: bench.pool.cancel_task(queued),
        lambda bench, held, queued: bench.submit(),
        lambda bench, held, queued: bench.pool.get_active_tasks(),
        lambda bench, held, queued: bench.pool.snapshot(),
        lambda bench, held, queued: bench.pool.set_max_workers(2),
        lambda bench, held, queued: bench.pool.clear_queue(),
        lambda bench, held, queued: bench.pool.run_monitor_round(),
        lambda bench, held, queued: bench.pool.worker_tick("w1", capacity=4),
        lambda bench, held, queued: bench.pool.fix_stuck(),
    ],
)
def test_every_verb_notices(bench: FailoverTestbed, notice: Callable[..., object]) -> None:
    held, other, queued = (bench.submit() for _ in range(3))
    for task_id in (held, other):
        bench.confirm(task_id)
    flush(bench)
    notice(bench, held, queued)
    assert actions("rebuild") == 1
    assert other in {task.id for task in bench.pool.get_active_tasks()}
    assert len(bench.pool.get_active_tasks()) <= 2


@pytest.mark.parametrize(
    "lost",
    [
        lambda keys, held, queued: keys.task(held),
        lambda keys, held, queued: keys.task(queued),
        lambda keys, held, queued: keys.active,
        lambda keys, held, queued: keys.leases,
        lambda keys, held, queued: keys.waiting,
        lambda keys, held, queued: keys.queues,
        lambda keys, held, queued: keys.queue("genius"),
        lambda keys, held, queued: keys.config,
    ],
    ids=["held", "queued", "active", "leases", "waiting", "queues", "queue", "config"],
)
def test_a_part_that_was_evicted_comes_back(
    bench: FailoverTestbed, lost: Callable[[PoolKeys, str, str], str]
) -> None:
    ids = [bench.submit() for _ in range(5)]
    for task_id in ids[:2]:
        bench.confirm(task_id)
    assert bench.redis.delete(lost(bench.keys, ids[0], ids[2])) == 1
    bench.pool.process_queue()
    bench.pool.renew_lease(ids[0], attempt=1)
    assert {task.id for task in bench.pool.get_active_tasks()} == set(ids[:2])
    for task_id in ids[:2]:
        bench.finish(task_id)
    assert bench.run_some(3) == ids[2:]
    assert bench.pool.get_active_tasks() == bench.pool.get_queued_tasks() == []
    assert actions("rebuild") == 1


def test_a_crowd_that_notices_builds_it_once(bench: FailoverTestbed) -> None:
    """Many at once, each with a connection of its own to Redis."""
    ids = [bench.submit() for _ in range(50)]
    pools = [bench.another_process() for _ in range(4)]
    flush(bench)
    found = [{t.id for t in pool.get_queued_tasks()} for pool in pools]
    assert found == [set(ids[2:])] * 4
    assert actions("rebuild") == 1


def test_a_message_of_before_is_no_second_start(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.confirm(task_id, token="first")
    flush(bench)
    with pytest.raises(AlreadyConfirmed):
        bench.confirm(task_id, token="second")
    assert bench.confirm(task_id, token="first").worker == "w1"


def test_a_claim_that_nobody_wrote_down_is_no_start(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of the lost claim comes, after the same attempt was given again or before."""
    monkeypatch.setattr("ingestion.services.ledger.entries.follow", lambda *a, **k: False)
    task_id = bench.submit()
    assert bench.broker.sent == [(task_id, 1)]
    monkeypatch.undo()
    flush(bench)
    with pytest.raises(LeaseLost):
        bench.pool.confirm_task(task_id, attempt=1, worker="w", token="early")
    assert bench.pool.process_queue() == 1
    assert bench.pool.confirm_task(task_id, attempt=1, worker="w", token="t").attempt == 1
    with pytest.raises(AlreadyConfirmed):
        bench.pool.confirm_task(task_id, attempt=1, worker="w", token="late")


def test_no_worker_was_told_so_it_is_sent_again_at_once(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    flush(bench)
    bench.pool.run_monitor_round()
    assert bench.broker.sent == [(task_id, 1), (task_id, 1)]


def test_an_older_copy_of_the_state_is_not_believed(bench: FailoverTestbed, tmp_path: Path) -> None:
    """Redis was restored to what it was before: its tasks would run again."""
    bench.server.stop()
    bench.server.running = embedded_redis.start(tmp_path, port=bench.server.port, durable=True)
    ids = [bench.submit() for _ in range(4)]
    assert bench.redis.config_set("save", "3600 1")
    bench.redis.save()
    bench.redis.config_set("appendonly", "no")
    copy = (tmp_path / "dump.rdb").read_bytes()
    for task_id in ids[:2]:
        bench.confirm(task_id)
    bench.finish(ids[0])
    bench.confirm(ids[2])
    bench.server.stop()
    (tmp_path / "dump.rdb").write_bytes(copy)
    bench.server.start()
    assert bench.redis.zcard(bench.keys.active) == 2
    assert {t.id for t in bench.pool.get_active_tasks()} == set(ids[1:3])
    assert bench.task(ids[0]).status == TaskStatus.COMPLETED
    with pytest.raises(LeaseLost):
        bench.pool.confirm_task(ids[0], attempt=1, worker="w", token="late")


def test_a_reset_brings_nothing_back(bench: FailoverTestbed) -> None:
    bench.pool.set_max_workers(3)
    ids = [bench.submit() for _ in range(5)]
    bench.confirm(ids[0])
    bench.pool.reset_state(force=True)
    assert bench.pool.get_active_tasks() == bench.pool.get_queued_tasks() == []
    assert bench.pool.get_max_workers() == 3
    with pytest.raises(LeaseLost):
        bench.pool.renew_lease(ids[0], attempt=1)


def an_old_row(task_id: str, configuration: dict[str, Any]) -> SyncHistory:
    """Without the columns of the pool's state."""
    return SyncHistory.objects.create(
        status=SyncHistory.Status.QUEUED,
        crm_source="genius",
        sync_type="leads",
        endpoint="sync_genius_leads",
        start_time=timezone.now(),
        worker_pool_task_id=task_id,
        configuration={**configuration, "worker_pool_task_id": task_id},
    )


def test_rows_of_an_older_version_are_tasks_too(bench: FailoverTestbed) -> None:
    queued = an_old_row("old-1", {"parameters": {"full": True}, "priority": 3, "max_attempts": 2})
    running = an_old_row("old-2", {})
    SyncHistory.objects.filter(pk=running.pk).update(status="running", attempt=1)
    bench.pool.set_max_workers(1)
    assert [t.id for t in bench.pool.get_active_tasks()] == ["old-2"]
    (task,) = bench.pool.get_queued_tasks()
    assert (task.id, task.parameters, task.priority) == ("old-1", {"full": True}, 3)
    bench.pool.renew_lease("old-2", attempt=1)
    assert (queued.pk, running.pk) == (task.sync_history_id, bench.task("old-2").sync_history_id)


def test_a_row_that_cannot_be_read_stops_nobody(bench: FailoverTestbed) -> None:
    good, bad = bench.submit(), bench.submit()
    SyncHistory.objects.filter(worker_pool_task_id=bad).update(pool_state={"attempt": "many"})
    flush(bench)
    assert [t.id for t in bench.pool.get_active_tasks()] == [good]
    assert bench.pool.get_task_status(bad) is None
    assert actions("rebuild") == 1


def test_an_empty_pool_is_no_loss(bench: FailoverTestbed) -> None:
    assert bench.pool.snapshot().active == ()
    assert (epoch(), actions("rebuild")) == (1, 0)


def test_finishing_after_a_flush_keeps_the_counts(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.confirm(task_id)
    flush(bench)
    bench.finish(task_id, DONE)
    assert bench.row(task_id).records_processed == 5


def test_what_an_older_version_left_in_redis_is_in_the_ledger_too(bench: FailoverTestbed) -> None:
    entry = {
        "id": "from-before",
        "task_name": "ingestion.tasks.sync_genius_leads",
        "crm_source": "genius",
        "sync_type": "leads",
        "status": "queued",
        "configuration": {"full": True},
        "submitted_at": "2026-01-01T10:00:00",
    }
    bench.redis.set(bench.keys.queues, json.dumps([entry]))
    assert [t.id for t in bench.pool.get_queued_tasks()] == ["from-before"]
    flush(bench)
    (task,) = bench.pool.get_queued_tasks()
    assert (task.id, task.parameters) == ("from-before", {"full": True})
    assert bench.pool.process_queue() == 1
    assert bench.row("from-before").status == "running"


class TestWhatTheLedgerWasNotTold:
    """The database was away when an attempt ended, and a part of Redis is lost before it follows."""

    def lose_a_part(self, bench: FailoverTestbed) -> None:
        bench.redis.delete(bench.keys.active)

    def end(self, bench: FailoverTestbed, task_id: str, outcome: Outcome) -> None:
        bench.store.finish(task_id, attempt=1, outcome=outcome, token="t")
        assert bench.row(task_id).status == "running"

    def test_what_was_done_is_not_run_again(self, bench: FailoverTestbed) -> None:
        done, other, _ = bench.submit(), bench.submit(), bench.submit()
        for task_id in (done, other):
            bench.confirm(task_id)
        self.end(bench, done, DONE)
        self.lose_a_part(bench)
        assert bench.task(done).status == TaskStatus.COMPLETED
        assert bench.row(done).status == "success"
        assert bench.task(other).status == TaskStatus.RUNNING
        assert actions("complete") == actions("rebuild") == 1

    @pytest.mark.parametrize("outcome", [AGAIN, Outcome(TaskStatus.FAILED, "HTTP 401")])
    def test_what_failed_keeps_its_reason(self, bench: FailoverTestbed, outcome: Outcome) -> None:
        task_id, _, _ = bench.submit(max_attempts=3), bench.submit(), bench.submit()
        bench.confirm(task_id)
        self.end(bench, task_id, outcome)
        before = bench.store.get(task_id)
        self.lose_a_part(bench)
        assert bench.task(task_id) == before
        assert bench.row(task_id).error_message == outcome.error_message

    def test_what_was_cancelled_in_the_queue_does_not_run(self, bench: FailoverTestbed) -> None:
        _, _, task_id, _ = (bench.submit() for _ in range(4))
        bench.store.cancel(task_id, change=ChangeRequest(by="ann"))
        self.lose_a_part(bench)
        assert bench.task(task_id).status == TaskStatus.CANCELLED
        assert bench.row(task_id).status == "cancelled"

    def test_of_an_older_state_only_what_was_done_counts(self, bench: FailoverTestbed) -> None:
        """In the state that is in force since, its holder may be at work."""
        done, failed, _ = bench.submit(), bench.submit(), bench.submit()
        for task_id in (done, failed):
            bench.confirm(task_id)
        self.end(bench, done, DONE)
        self.end(bench, failed, Outcome(TaskStatus.FAILED, "it was lost"))
        bench.redis.hset(bench.keys.config, "epoch", epoch() - 1)
        assert bench.task(done).status == TaskStatus.COMPLETED
        assert bench.task(failed).status == TaskStatus.RUNNING
        bench.pool.renew_lease(failed, attempt=1)


def test_a_configuration_of_another_type_is_replaced(bench: FailoverTestbed) -> None:
    bench.pool.set_max_workers(1)
    first, _ = bench.submit(), bench.submit()
    bench.redis.delete(bench.keys.config)
    bench.redis.set(bench.keys.config, "x")
    assert [task.id for task in bench.pool.get_active_tasks()] == [first]
    assert bench.pool.get_max_workers() == 1
    assert actions("rebuild") == 1


def test_a_change_of_the_order_rule_that_was_going_on_is_over(bench: FailoverTestbed) -> None:
    """What waits is put back by the rule in force; whoever takes it for half done starts nothing."""
    bench.submit()
    bench.redis.hset(bench.keys.config, "rescored_until", "(5")
    bench.redis.delete(bench.keys.active)
    bench.pool.get_active_tasks()
    assert actions("rebuild") == 1
    assert not bench.redis.hexists(bench.keys.config, "rescored_until")


def test_the_monitor_looks_at_more_than_a_page(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "PAGE", 2)
    ids = bench.submit_many(6)
    bench.redis.delete(bench.keys.task(ids[-1]))
    bench.store.note_monitor_round()
    assert actions("rebuild") == 1
    assert bench.task(ids[-1]).status == TaskStatus.QUEUED
