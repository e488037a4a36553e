"""One process reaches Redis, another does not: who decides, and that nothing is decided twice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.pool.errors import AlreadyConfirmed, LeaseLost
from ingestion.pool.task import TaskStatus
from ingestion.services.failover import active_store, transitions
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed
from tests.integration.system import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


class TestTwoFailoverStores:
    """One process reaches Redis, the other does not."""

    @pytest.fixture
    def cut_off(self, bench: FailoverTestbed) -> FailoverTestbed:
        """Another process, to which Redis is away."""
        other = replace(bench, server=replace(bench.server, port=_nobodys_port(), running=None))
        other.pool = other.another_process()
        return other

    def test_who_reaches_redis_follows(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transitions, "STAY_SECONDS", 600)
        bench.submit()
        assert cut_off.is_degraded()
        wait_for(bench.is_degraded, what="the other process to follow")
        assert len(bench.pool.get_active_tasks()) == 1

    def test_nothing_starts_until_everybody_knows(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transitions, "QUIET_SECONDS", 600)
        bench.submit()
        cut_off.submit()
        assert cut_off.is_degraded()
        assert cut_off.pool.process_queue() == 0
        assert cut_off.pool.snapshot().effective_limit == 0
        assert len(cut_off.pool.get_queued_tasks()) == 1

    def test_a_process_that_slept_through_it_starts_nothing(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It claims in Redis after the ledger has taken over; the message comes to nothing."""
        bench.pool.set_max_workers(1)
        first = bench.submit()
        second = bench.submit()
        monkeypatch.setattr(active_store, "LOOK_SECONDS", 600)
        bench.store._failover.active.forget()
        bench.pool.snapshot()
        assert cut_off.is_degraded()
        bench.redis.hset(bench.keys.config, "control:max_workers", '{"value": "2"}')
        assert [t.id for t in bench.store.claim(token="asleep")] == [second]
        assert bench.row(second).pool_status == "queued"
        with pytest.raises(LeaseLost):
            bench.confirm(second)
        assert [t.id for t in cut_off.pool.get_active_tasks()] == [first]
        assert bench.row(second).status == "queued"

    def test_a_confirmation_in_redis_counts_only_with_the_ledger(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between its claim and its confirmation the ledger has taken over."""
        monkeypatch.setattr(transitions, "STAY_SECONDS", 600)
        task_id = bench.submit()
        monkeypatch.setattr(active_store, "LOOK_SECONDS", 600)
        bench.store._failover.active.forget()
        bench.pool.snapshot()
        assert cut_off.is_degraded()
        task = bench.pool.confirm_task(task_id, attempt=1, worker="w1", token="t1")
        assert task.worker == "w1"
        assert bench.store.epoch is None
        with pytest.raises(AlreadyConfirmed):
            cut_off.pool.confirm_task(task_id, attempt=1, worker="w2", token="t2")

    def test_a_finish_of_the_other_side_is_not_lost(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = bench.submit()
        bench.confirm(task_id)
        monkeypatch.setattr(active_store, "LOOK_SECONDS", 600)
        bench.store._failover.active.forget()
        bench.pool.snapshot()
        assert cut_off.is_degraded()
        assert bench.finish(task_id).status == TaskStatus.COMPLETED
        assert bench.row(task_id).status == "success"
        assert cut_off.pool.get_active_tasks() == []
        assert cut_off.task(task_id).status == TaskStatus.COMPLETED

    def test_a_submission_of_the_other_side_is_not_lost(
        self, bench: FailoverTestbed, cut_off: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.submit()
        monkeypatch.setattr(active_store, "LOOK_SECONDS", 600)
        bench.store._failover.active.forget()
        bench.pool.snapshot()
        assert cut_off.is_degraded()
        task_id = bench.submit()
        assert cut_off.pool.get_task_status(task_id) is not None


def _nobodys_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
        return port
