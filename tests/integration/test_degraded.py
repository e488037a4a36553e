"""While Redis is away the ledger decides, for every verb; then Redis does again. Nothing is lost,
the limit holds, and the status tells the truth."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion.models import ActiveStoreState, AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyConfirmed, AlreadyFinished
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.failover import active_store, transitions
from ingestion.services.worker_pool import use_worker_pool
from tests.integration.failover_testbed import (
    FailoverTestbed,
    PatientConnection,
    epoch,
    failover_testbed,
)
from tests.integration.system import wait_for
from tests.unit.pool_shell import manage

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def actions() -> list[str]:
    about = AuditRecord.objects.filter(target="redis").order_by("id")
    return list(about.values_list("action", flat=True))


def three(bench: FailoverTestbed) -> list[str]:
    """Two held, one waits."""
    ids = [bench.submit() for _ in range(3)]
    for task_id in ids[:2]:
        bench.confirm(task_id)
    return ids


def test_what_waits_in_the_quiet_time_says_why(bench: FailoverTestbed, settings: Any) -> None:
    """A real server has gone; the command line, the JSON and the metrics say the same."""
    settings.INGESTION_METRICS_NETWORKS = [ip_network("127.0.0.1/32")]
    bench.pool.snapshot()
    bench.server.stop()
    assert bench.is_degraded()
    ActiveStoreState.objects.update(quiet_until=utc_now() + timedelta(minutes=5))
    task_id = bench.submit()
    with use_worker_pool(bench.pool):
        explained = manage("explain", task_id, "--json").shape
        (queued,) = manage("status", "--json").shape["queued"]
        metrics = Client(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert (explained["reason"]["code"], explained["start"]) == ("degraded", None)
    assert (queued["id"], queued["wait"]["reason"]["code"]) == (task_id, "degraded")
    assert "worker_pool_degraded 1.0" in metrics
    assert 'reason="degraded"} 1.0' in metrics


class TestEveryVerb:
    def test_a_submission_is_accepted_and_runs(self, bench: FailoverTestbed) -> None:
        bench.lose_redis()
        first, second, third = (bench.submit() for _ in range(3))
        assert bench.broker.ids == [first, second]
        bench.confirm(first)
        bench.finish(first)
        assert bench.broker.ids == [first, second, third]
        assert bench.row(first).status == "success"
        assert bench.row(third).status == "running"

    def test_what_ran_goes_on_and_the_limit_holds(self, bench: FailoverTestbed) -> None:
        first, second, third = three(bench)
        bench.lose_redis()
        assert bench.pool.process_queue() == 0
        for task_id in (first, second):
            assert bench.pool.renew_lease(task_id, attempt=1).worker == "w1"
        bench.finish(first)
        assert {t.id for t in bench.pool.get_active_tasks()} == {second, third}

    def test_order_priority_and_delay_hold(self, bench: FailoverTestbed) -> None:
        three(bench)
        low, high = bench.submit(), bench.submit(priority=9)
        later = bench.submit(not_before=utc_now() + timedelta(hours=1))
        before = [task.id for task in bench.pool.get_queued_tasks()]
        bench.lose_redis()
        assert [task.id for task in bench.pool.get_queued_tasks()] == before
        higher, last = bench.submit(priority=10), bench.submit()
        assert [task.id for task in bench.pool.get_queued_tasks()] == [
            higher,
            *before[:-1],
            last,
            later,
        ]
        assert before == [high, before[1], low, later]

    def test_cancelling_works_and_is_audited_with_its_actor(self, bench: FailoverTestbed) -> None:
        held, _, queued = three(bench)
        bench.lose_redis()
        assert bench.pool.cancel_task(queued, change=ChangeRequest(by="ann", reason="no need"))
        assert bench.pool.cancel_task(held, change=ChangeRequest(by="bob"))
        assert bench.row(queued).status == "cancelled"
        assert AuditRecord.objects.get(target=queued, action="cancel").actor == "ann"
        assert bench.pool.renew_lease(held, attempt=1).cancel_requested_at is not None

    def test_a_request_to_stop_of_before_is_still_heard(self, bench: FailoverTestbed) -> None:
        held, *_ = three(bench)
        bench.pool.cancel_task(held, change=ChangeRequest(by="bob", reason="too slow"))
        bench.lose_redis()
        task = bench.pool.renew_lease(held, attempt=1)
        assert task.cancel_requested_at is not None
        assert task.error_message == "Cancelled by bob: too slow"

    def test_the_limit_can_be_changed_and_stays(self, bench: FailoverTestbed) -> None:
        ids = [bench.submit() for _ in range(4)]
        bench.pool.set_max_workers(3, change=ChangeRequest(by="ann"))
        bench.lose_redis()
        assert bench.pool.get_max_workers() == 3
        bench.pool.set_max_workers(4, change=ChangeRequest(by="bob"))
        assert len(bench.broker.ids) == len(ids)
        bench.bring_redis_back()
        limit = bench.pool.snapshot().limit
        assert (limit.max_workers, limit.set_by) == (4, "bob")

    def test_a_message_that_comes_twice_runs_once(self, bench: FailoverTestbed) -> None:
        bench.lose_redis()
        task_id = bench.submit()
        bench.confirm(task_id, token="one")
        assert bench.confirm(task_id, token="one").worker == "w1"
        with pytest.raises(AlreadyConfirmed):
            bench.confirm(task_id, token="two")

    def test_a_lost_worker_is_noticed(self, bench: FailoverTestbed) -> None:
        held, _, waiting = three(bench)
        bench.lose_redis()
        ledger = bench.store._failover.ledger._ledger
        ledger.clock = lambda: utc_now() + timedelta(seconds=91)
        bench.pool.run_monitor_round()
        assert bench.row(held).status == "failed"
        assert bench.task(waiting).status == TaskStatus.RUNNING

    @pytest.mark.parametrize(
        "verb",
        [
            lambda bench, held: bench.pool.get_task_status(held),
            lambda bench, held: bench.pool.snapshot(),
            lambda bench, held: bench.pool.peek(),
            lambda bench, held: bench.pool.get_stats(),
            lambda bench, held: bench.pool.get_queued_tasks(offset=0, limit=1),
            lambda bench, held: bench.pool.run_monitor_round(),
            lambda bench, held: bench.pool.fix_stuck(),
            lambda bench, held: bench.pool.worker_tick("w1", capacity=2),
            lambda bench, held: bench.pool.worker_gone("w1"),
            lambda bench, held: bench.pool.report_progress(held, attempt=1, progress={"rows": 1}),
            lambda bench, held: bench.pool.update_task_status(held, "failed", "by hand"),
            lambda bench, held: bench.pool.cancel_all(),
            lambda bench, held: bench.pool.clear_queue(),
            lambda bench, held: bench.pool.reset_state(force=True),
            lambda bench, held: bench.pool.cleanup_completed_tasks(0),
            lambda bench, held: bench.pool.cleanup_stale_active_tasks(5),
            lambda bench, held: bench.store.ping(),
        ],
    )
    def test_it_goes_on(
        self, bench: FailoverTestbed, verb: Callable[[FailoverTestbed, str], object]
    ) -> None:
        """Each may be the first to notice."""
        held, *_ = three(bench)
        bench.server.stop()
        verb(bench, held)
        assert bench.is_degraded()
        assert actions()[-1] == "degrade"


class TestTheStatus:
    def test_it_says_since_when_and_why(self, bench: FailoverTestbed) -> None:
        before = utc_now()
        assert not bench.is_degraded()
        bench.lose_redis()
        snapshot = bench.pool.snapshot()
        assert (snapshot.degraded, snapshot.state) == (True, "degraded")
        assert before <= snapshot.degraded_since <= utc_now()
        assert "refused" in snapshot.degraded_reason
        bench.bring_redis_back()
        snapshot = bench.pool.snapshot()
        assert (snapshot.degraded, snapshot.degraded_since, snapshot.state) == (
            False,
            None,
            "unknown",  # no worker is online
        )

    def test_the_command_says_it_in_words_and_in_json(self, bench: FailoverTestbed) -> None:
        bench.lose_redis()
        with use_worker_pool(bench.pool):
            assert "Degraded: since " in manage("status").out
            assert "refused" in manage("status").out
            shape = json.loads(manage("status", "--json").out)
        assert shape["degraded"] is True
        assert shape["state"] == "degraded"
        assert shape["degraded_since"]

    def test_each_change_is_one_line_and_one_record(
        self, bench: FailoverTestbed, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.submit()
        other = bench.another_process()
        with caplog.at_level(logging.WARNING):
            bench.lose_redis()
            other.snapshot()
            bench.bring_redis_back()
        said = [r.getMessage() for r in caplog.records]
        assert sum(line.startswith("the pool is degraded") for line in said) == 1
        assert sum(line.startswith("the pool is no longer degraded") for line in said) == 1
        assert actions() == ["build", "degrade", "recover"]

    def test_another_process_knows_it_too(self, bench: FailoverTestbed) -> None:
        other = bench.another_process()
        other.snapshot()
        bench.lose_redis()
        assert other.snapshot().degraded
        assert epoch() == 2


class TestTheWayBack:
    def test_everything_is_in_redis_again(self, bench: FailoverTestbed) -> None:
        first, second, third = three(bench)
        bench.lose_redis()
        fourth = bench.submit(priority=3, parameters={"full": True})
        bench.finish(first)
        bench.bring_redis_back()
        assert {t.id for t in bench.pool.get_active_tasks()} == {second, fourth}
        assert [t.id for t in bench.pool.get_queued_tasks()] == [third]
        assert bench.task(fourth).parameters == {"full": True}
        assert bench.task(first).status == TaskStatus.COMPLETED
        assert bench.pool.renew_lease(second, attempt=1).worker == "w1"
        assert bench.redis.zcard(bench.keys.active) == 2
        assert bench.run_some(1) == [fourth]

    def test_an_old_state_that_is_still_there_is_replaced(self, bench: FailoverTestbed) -> None:
        """Redis was only cut off: what it holds is from before."""
        first, second, third = three(bench)
        frozen = bench.server.running.process
        frozen.send_signal(signal.SIGSTOP)
        try:
            assert bench.is_degraded()
            bench.finish(first)
            wait_for(
                lambda: bench.pool.process_queue() or third in bench.broker.ids, what="a start"
            )
        finally:
            frozen.send_signal(signal.SIGCONT)
        assert bench.redis.zscore(bench.keys.active, first) is not None
        wait_for(lambda: not bench.is_degraded(), what="the way back to Redis")
        assert {t.id for t in bench.pool.get_active_tasks()} == {second, third}
        assert bench.task(first).status == TaskStatus.COMPLETED

    def test_what_no_worker_could_be_told_is_sent_again(self, bench: FailoverTestbed) -> None:
        bench.lose_redis()
        bench.broker.error = OSError("the broker is away too")
        task_id = bench.submit()
        assert bench.task(task_id).status == TaskStatus.RUNNING
        bench.broker.error = None
        bench.bring_redis_back()
        bench.pool.run_monitor_round()
        assert bench.broker.sent == [(task_id, 1)]

    def test_a_redis_that_comes_and_goes_is_trusted_less_and_less(
        self, bench: FailoverTestbed
    ) -> None:
        stays = []
        for _ in range(3):
            bench.server.stop()
            assert bench.is_degraded()
            seen = active_store.in_force()
            stays.append(round((seen.stays_until - seen.since).total_seconds(), 1))
            bench.bring_redis_back()
        assert stays == [0.2, 0.4, 0.8]

    def test_a_server_that_takes_no_writes_is_not_back(self, bench: FailoverTestbed) -> None:
        bench.lose_redis()
        bench.server.start()
        bench.redis.config_set("maxmemory", 1)
        time.sleep(0.3)  # longer than it stays degraded, longer than a probe waits
        assert bench.is_degraded()
        bench.redis.config_set("maxmemory", 0)
        wait_for(lambda: not bench.is_degraded(), what="the way back to Redis")


class TestBoundedWaits:
    @pytest.fixture(autouse=True)
    def _usual_stay(self, bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transitions, "STAY_SECONDS", 5)

    @pytest.mark.parametrize("verb", ["submit", "snapshot", "renew", "finish"])
    def test_a_server_that_does_not_answer_is_waited_for_once(
        self, bench: FailoverTestbed, verb: str
    ) -> None:
        held, *_ = three(bench)
        calls: dict[str, Callable[[], object]] = {
            "submit": bench.submit,
            "snapshot": bench.pool.snapshot,
            "renew": lambda: bench.pool.renew_lease(held, attempt=1),
            "finish": lambda: bench.finish(held),
        }
        frozen = bench.server.running.process
        frozen.send_signal(signal.SIGSTOP)
        try:
            for _ in range(3):
                waits = PatientConnection.waits
                with suppress(AlreadyFinished):
                    calls[verb]()
                assert PatientConnection.waits <= waits + 1
            assert bench.is_degraded()
        finally:
            frozen.send_signal(signal.SIGCONT)

    def test_ten_thousand_that_wait_cost_no_more_than_ten(self, bench: FailoverTestbed) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                task_id = bench.submit()
                bench.confirm(bench.pool.get_active_tasks()[0].id)
                bench.finish(bench.pool.get_active_tasks()[0].id)
                bench.pool.snapshot()
                bench.pool.cancel_task(task_id)
            return len(captured)

        bench.lose_redis()
        bench.submit_many(10)
        bench.pool.process_queue()
        few = queries()
        queued = SyncHistory.objects.filter(pool_status="queued").first()
        assert queued is not None
        SyncHistory.objects.bulk_create(copy_of(queued, n) for n in range(10_000))
        assert queries() <= 2 * few
        assert bench.pool.snapshot().queued_count > 10_000


def copy_of(row: SyncHistory, number: int) -> SyncHistory:
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    own = {"id": None, "worker_pool_task_id": f"copy-{number}"}
    return SyncHistory(**values | own | {"queued_us": row.queued_us + number})
