"""One attempt inside a worker, from confirm to finish, over a store in memory."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.errors import LedgerUnavailable, PoolUnavailable
from ingestion.services.runs.runner import RunHandle
from ingestion.services.worker import execute
from ingestion.services.worker.execute import TaskFailed
from ingestion.services.worker.lease import Lease
from ingestion.services.worker_pool import use_worker_pool
from ingestion.sync.common.errors import (
    PermanentError,
    QuotaExceeded,
    SyncCancelled,
    TransientError,
)
from tests.unit.execute_fixtures import Adapter, run, status, submit
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


def test_runs_the_route_with_its_parameters(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    assert run(bench, task_id) == "completed"
    assert adapter.calls == [("genius", "leads", {"full": True})]
    assert status(bench, task_id) == ("completed", "success")
    assert SyncHistory.objects.get().records_processed == 7
    assert SyncHistory.objects.count() == 1


def test_holds_the_lease_from_before_it_asked_for_it(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lease too: the answer of the confirmation may come late."""
    asked_at, held_since, confirm = [], [], bench.pool.confirm_task

    def noting(*args: Any, **kwargs: Any) -> Any:
        asked_at.append(time.monotonic())
        return confirm(*args, **kwargs)

    def lease(*args: Any, **kwargs: Any) -> Lease:
        held_since.append(kwargs["held_since"])
        return Lease(*args, **kwargs)

    monkeypatch.setattr(bench.pool, "confirm_task", noting)
    monkeypatch.setattr(execute, "Lease", lease)
    run(bench, submit(bench))
    assert held_since[0] <= asked_at[0]


@pytest.mark.parametrize("is_away", [True, False])
def test_the_lease_of_an_attempt_that_waits_for_the_ledger_counts_from_its_last_renewal(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    """From before that was asked for; from the confirmation where the store was away by then."""
    monkeypatch.setattr(execute, "_waits", lambda seconds: iter([None] * 9))
    confirmed_at, asked_at, held_since = [], [], []
    confirm, renew = bench.pool.confirm_task, bench.pool.renew_lease

    def confirmed_without_the_ledger(*args: Any, **kwargs: Any) -> Any:
        task = confirm(*args, **kwargs)
        confirmed_at.append(time.monotonic())
        if len(confirmed_at) > 1:
            return task
        problem = LedgerUnavailable("the database is away")
        problem.is_confirmed = True
        raise problem

    def renewing(*args: Any, **kwargs: Any) -> Any:
        asked_at.append(time.monotonic())
        if is_away:
            raise PoolUnavailable("connection refused")
        return renew(*args, **kwargs)

    def lease(*args: Any, **kwargs: Any) -> Lease:
        held_since.append(kwargs["held_since"])
        return Lease(*args, **kwargs)

    monkeypatch.setattr(bench.pool, "confirm_task", confirmed_without_the_ledger)
    monkeypatch.setattr(bench.pool, "renew_lease", renewing)
    monkeypatch.setattr(execute, "Lease", lease)
    assert run(bench, submit(bench)) == "completed"
    if is_away:
        assert held_since[0] <= confirmed_at[0]
    else:
        assert confirmed_at[0] <= held_since[0] <= asked_at[0]


def test_the_waits_for_a_store_that_is_away_grow_to_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(execute, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    assert len(list(execute._waits(20))) == 10
    assert slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 3.7])


def test_drops_a_second_message(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    bench.confirm(task_id)
    assert run(bench, task_id) == "dropped"
    assert adapter.calls == []


def test_drops_a_message_for_a_task_that_is_gone(bench: Bench, adapter: Adapter) -> None:
    assert run(bench, "nobody") == "dropped"


def test_drops_a_message_after_the_end(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    bench.pool.cancel_task(task_id)
    assert run(bench, task_id) == "dropped"
    assert adapter.calls == []


def test_a_task_that_could_not_be_confirmed_is_sent_again(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "_waits", lambda seconds: iter([None]))
    task_id = submit(bench)
    bench.store.is_lost = True
    assert run(bench, task_id) == "dropped"
    bench.store.is_lost = False
    bench.clock.advance(seconds=61)
    assert bench.pool.run_monitor_round().resent == 1


def test_an_attempt_that_the_store_alone_has_confirmed_waits_for_the_ledger(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: it keeps the lease meanwhile, and asks with one token."""
    monkeypatch.setattr(
        execute, "_waits", lambda seconds: iter([None] * (9 if seconds > 99 else 1))
    )
    answers = [True, False, False, None]  # whether the store has confirmed it; then all is well
    confirm, renew = bench.pool.confirm_task, bench.pool.renew_lease
    tokens, renewed = set(), []

    def away(*args: Any, **kwargs: Any) -> Any:
        tokens.add(kwargs["token"])
        task = confirm(*args, **kwargs)
        if (is_confirmed := answers.pop(0)) is None:
            return task
        problem = LedgerUnavailable("the database is away")
        problem.is_confirmed = is_confirmed
        raise problem

    def renewing(*args: Any, **kwargs: Any) -> Any:
        renewed.append(adapter.calls)
        return renew(*args, **kwargs)

    monkeypatch.setattr(bench.pool, "confirm_task", away)
    monkeypatch.setattr(bench.pool, "renew_lease", renewing)
    assert run(bench, submit(bench)) == "completed"
    assert (len(tokens), len(renewed), len(adapter.calls)) == (1, 3, 1)


@pytest.mark.parametrize("problem", [OperationalError, InterfaceError])
def test_a_sync_waits_for_a_ledger_that_is_away_before_it_begins(
    bench: Bench,
    adapter: Adapter,
    monkeypatch: pytest.MonkeyPatch,
    problem: type[Exception],
) -> None:
    """The sync has not begun: no failure of it, and no attempt is spent."""
    answers = [problem("terminating connection"), problem("not accepting connections")]
    row_of = execute._row_of

    def away_twice(task_id: str) -> SyncHistory | None:
        if answers:
            raise answers.pop()
        return row_of(task_id)

    monkeypatch.setattr(execute, "_row_of", away_twice)
    task_id = submit(bench)
    assert run(bench, task_id) == "completed"
    assert answers == []
    assert status(bench, task_id) == ("completed", "success")


def test_a_sync_that_waits_for_its_ledger_can_be_cancelled(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = submit(bench)

    def away(task_id: str) -> None:
        lease.cancel_reason = "Enough."
        raise OperationalError("not accepting connections")

    monkeypatch.setattr(execute, "_row_of", away)
    held = execute._lease

    def remembered(*args: Any) -> Lease:
        nonlocal lease
        lease = held(*args)
        return lease

    lease: Any = None
    monkeypatch.setattr(execute, "_lease", remembered)
    assert run(bench, task_id) == "cancelled"
    assert adapter.calls == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermanentError("Genius: no such table"), "Genius: no such table"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (PermanentError("password=hunter2222"), "password=***"),
        (KeyError(), "KeyError: "),
    ],
)
def test_a_failure_fails_task_row_and_celery_task(
    bench: Bench, adapter: Adapter, error: Exception, says: str
) -> None:
    task_id = submit(bench, max_attempts=3)
    adapter.fails_with(error)
    with pytest.raises(TaskFailed) as raised:
        run(bench, task_id)
    assert says in str(raised.value)
    assert raised.value.__context__ is None
    assert status(bench, task_id) == ("failed", "failed")
    assert says in SyncHistory.objects.get().error_message
    assert SyncHistory.objects.get().records_processed == 7


def test_a_transient_failure_gets_another_attempt(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench, max_attempts=2)
    adapter.fails_with(TransientError("busy", retry_after_seconds=100))
    with pytest.raises(TaskFailed):
        run(bench, task_id)
    assert status(bench, task_id) == ("queued", "queued")
    bench.clock.advance(seconds=99)
    bench.pool.run_monitor_round()
    assert status(bench, task_id) == ("queued", "queued")
    bench.clock.advance(seconds=2)
    bench.pool.run_monitor_round()
    adapter.sync = lambda run: None
    assert run(bench, task_id, attempt=2) == "completed"
    assert status(bench, task_id) == ("completed", "success")


def test_a_used_up_quota_waits_for_its_reset(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench, max_attempts=2)
    resets_at = bench.clock.now.replace(microsecond=0).replace(year=bench.clock.now.year + 1)
    adapter.fails_with(QuotaExceeded("used up", resets_at=resets_at))
    with pytest.raises(TaskFailed):
        run(bench, task_id)
    waits = bench.pool.get_task_status(task_id).not_before - resets_at
    assert abs(waits.total_seconds()) < 60


def test_a_cancelled_run_is_cancelled_with_its_counts(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    adapter.fails_with(SyncCancelled("Cancelled by ann."))
    assert run(bench, task_id) == "cancelled"
    assert status(bench, task_id) == ("cancelled", "cancelled")
    assert SyncHistory.objects.get().records_processed == 7


def test_a_failure_after_a_cancel_ends_as_cancelled(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)

    def fail(run: RunHandle) -> None:
        bench.pool.cancel_task(task_id)
        raise PermanentError("broke while stopping")

    adapter.sync = fail
    assert run(bench, task_id) == "cancelled"
    assert status(bench, task_id) == ("cancelled", "cancelled")


def test_drops_a_task_whose_row_was_rolled_back(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    SyncHistory.objects.all().delete()
    assert run(bench, task_id) == "cancelled"
    assert adapter.calls == []
    assert bench.pool.get_task_status(task_id).error_message == execute.ROLLED_BACK


def test_drops_a_task_whose_row_was_closed(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)
    SyncHistory.objects.update(status="failed")
    assert run(bench, task_id) == "cancelled"
    assert adapter.calls == []
    assert status(bench, task_id) == ("cancelled", "failed")


def test_tells_the_ledger_when_the_store_stays_away(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "_waits", lambda seconds: iter([None]))
    task_id = submit(bench)

    def lose(run: RunHandle) -> None:
        bench.store.is_lost = True

    adapter.sync = lose
    assert run(bench, task_id) == "completed"
    bench.store.is_lost = False
    bench.clock.advance(seconds=91)
    later = timezone.now() + timedelta(seconds=91)
    monkeypatch.setattr("ingestion.services.tasks.repairs.ledger_now", lambda: later)
    bench.pool.run_monitor_round()
    assert status(bench, task_id) == ("completed", "success")
    assert SyncHistory.objects.get().records_processed == 7


def test_a_task_called_directly_submits_itself(bench: Bench) -> None:
    task = current_app.tasks["ingestion.tasks.sync_hubspot_all"]
    with use_worker_pool(bench.pool):
        task_id = task.run(full=True)
    found = bench.pool.get_task_status(task_id)
    assert found.route == "hubspot.all"
    assert found.parameters == {"full": True}
    assert found.requested_by == "celery"
