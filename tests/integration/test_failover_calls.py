"""What one call answers while the active store changes under it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from ingestion.models import ActiveStoreState, AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.pool.clock import to_us
from ingestion.pool.errors import LedgerUnavailable, PoolUnavailable
from ingestion.pool.store import PoolStore
from ingestion.services.failover import active_store
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def rebuilds() -> int:
    return AuditRecord.objects.filter(action="rebuild").count()


def test_a_claim_that_finds_the_only_task_gone_starts_it(bench: FailoverTestbed) -> None:
    """Redis has answered that nothing starts; the claim does not leave it to the next verb."""
    (task_id,) = bench.submit_many(1)
    assert bench.redis.delete(bench.keys.task(task_id)) == 1
    assert [task.id for task in bench.store.claim(token="a")] == [task_id]
    assert rebuilds() == 1


def test_the_ledger_has_the_place_of_what_could_be_coalesced(bench: FailoverTestbed) -> None:
    for _ in range(2):
        bench.submit()
    task_id = bench.submit(on_overlap="coalesce")
    row = bench.row(task_id)
    assert (row.pool_status, row.queued_us) == ("queued", to_us(bench.task(task_id).queued_at))


def test_the_call_that_brings_redis_back_is_answered_there(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not put to the ledger first, which would refuse it."""
    asked: list[int | None] = []

    def verb(store: PoolStore) -> None:
        asked.append(store.epoch)
        store.ping()

    bench.submit()
    bench.lose_redis()
    ActiveStoreState.objects.update(stays_until=None)
    monkeypatch.setattr(active_store, "LOOK_SECONDS", 600)
    failover = bench.store._failover
    failover.active.forget()
    bench.server.start()
    failover._probe_at = 0.0
    failover.ask(verb)
    assert asked == [3]  # built, degraded, recovered
    assert "no longer degraded: Redis answers again; 1 tasks were put back." in caplog.messages


def test_a_page_of_the_queue_is_the_one_that_was_asked_for(bench: FailoverTestbed) -> None:
    ids = bench.submit_many(5)
    assert [task.id for task in bench.store.queued(offset=1, limit=2)] == ids[1:3]


def test_a_try_to_go_back_that_fails_is_logged_with_its_reason(
    bench: FailoverTestbed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        bench.lose_redis()  # for longer than the ledger has to stay active
    still = [line for line in caplog.messages if line.startswith("still degraded: ")]
    assert still
    assert all("Redis cannot be reached" in line for line in still)


def test_what_is_pickled_in_redis_is_read_while_redis_can_be_reached(
    bench: FailoverTestbed,
) -> None:
    assert bench.store.import_pickled() == (0, 0)
    bench.lose_redis()
    with pytest.raises(PoolUnavailable, match="Redis is away"):
        bench.store.import_pickled()


def test_an_attempt_that_only_redis_has_confirmed_is_told_as_that(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **options: object) -> None:
        raise LedgerUnavailable("the database is away")

    task_id = bench.submit()
    monkeypatch.setattr("ingestion.services.ledger.state.hold", away)
    with pytest.raises(LedgerUnavailable) as refused:
        bench.confirm(task_id)
    assert refused.value.is_confirmed
    assert bench.task(task_id).confirmed_at is not None


def lose_the_database(bench: FailoverTestbed, patch: pytest.MonkeyPatch) -> None:
    """As the next look at the active store finds it."""

    def away() -> None:
        raise LedgerUnavailable("the database is away")

    patch.setattr(active_store, "in_force", away)
    bench.store._failover.active.forget()


def test_nothing_is_confirmed_in_redis_while_the_database_is_known_to_be_away(
    bench: FailoverTestbed,
) -> None:
    task_id = bench.submit()
    with pytest.MonkeyPatch.context() as patch:
        lose_the_database(bench, patch)
        with pytest.raises(LedgerUnavailable) as refused:
            bench.confirm(task_id)
    assert not refused.value.is_confirmed
    assert bench.task(task_id).confirmed_at is None


def test_a_database_that_is_away_is_told_with_what_redis_has(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = bench.submit()
    lose_the_database(bench, monkeypatch)
    snapshot = bench.pool.snapshot()
    assert [task.id for task in snapshot.active] == [task_id]
    assert (snapshot.degraded, snapshot.degraded_reason) == (True, "the database is away")


def test_a_cancellation_that_redis_alone_knows_is_not_called_made(bench: FailoverTestbed) -> None:
    """It would be undone with a loss of Redis; asked for again, it stands in the ledger, with a name."""
    _, _, task_id = (bench.submit() for _ in range(3))
    ann = ChangeRequest(by="ann", reason="no need")

    def refuse(execute: Callable[..., object], sql: str, *rest: Any) -> object:
        if sql.startswith("UPDATE"):
            raise OperationalError("database is locked")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse), pytest.raises(LedgerUnavailable) as refused:
        bench.pool.cancel_task(task_id, change=ann)
    assert str(refused.value).startswith(
        f"Task {task_id} is cancelled in the pool's state alone, and would come back if that were "
        "lost; cancel it again later. The ledger's database cannot be used: database is locked"
    )
    assert bench.row(task_id).status == "queued"
    assert bench.pool.cancel_task(task_id, change=ann)
    assert not bench.pool.cancel_task(task_id, change=ann)
    bench.redis.flushall()
    assert bench.task(task_id).status == "cancelled"
    assert bench.row(task_id).status == "cancelled"
    assert AuditRecord.objects.get(target=task_id, action="cancel").actor == "ann"
