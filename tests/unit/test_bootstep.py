"""What a worker's main process does for the pool."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.app.routes import prepare
from celery.exceptions import WorkerLostError
from celery.worker.consumer import Consumer
from kombu import Queue

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.infra.throttle import Overdue
from ingestion.services.tasks import dispatch
from ingestion.services.worker import bootstep, children
from ingestion.services.worker.consumer import SteadyConsumer
from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db

SYNC = "ingestion.tasks.sync_genius_all"
KILLED = WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 0.")


@pytest.fixture
def bench() -> Any:
    bench = Bench()
    with use_worker_pool(bench.pool):
        yield bench


class Timer:
    def __init__(self) -> None:
        self.entries: list[Any] = []

    def call_repeatedly(self, seconds: float, call: Any, args: tuple) -> Any:
        entry = SimpleNamespace(call=lambda: call(*args), cancelled=False)
        entry.cancel = lambda: setattr(entry, "cancelled", True)
        self.entries.append(entry)
        return entry


@pytest.fixture
def consumer() -> Any:
    return SimpleNamespace(
        hostname="celery@here",
        pool=SimpleNamespace(num_processes=4),
        timer=Timer(),
        app=SimpleNamespace(
            tasks={SYNC: None, "ingestion.tasks.worker_pool_monitor": None},
        ),
        task_consumer=TakesFrom("dw-local"),
    )


class TakesFrom:
    """As kombu has what a worker takes from."""

    def __init__(self, *names: str) -> None:
        self.queues = [Queue(name) for name in names]


def test_a_worker_that_takes_no_syncs_has_no_slot_for_one(bench: Bench, consumer: Any) -> None:
    consumer.task_consumer = TakesFrom("dw-control")
    bootstep.PoolTick(consumer).start(consumer)
    assert bench.pool.snapshot().workers == ()


def test_a_worker_announces_the_syncs_of_the_queues_it_takes_from(
    bench: Bench, consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = {"ingestion.tasks.sync_hubspot_*": {"queue": "dw-big", "routing_key": "dw-big"}}
    monkeypatch.setattr(current_app.amqp.router, "routes", prepare(big))
    contacts = "ingestion.tasks.sync_hubspot_contacts"
    consumer.app.tasks[contacts] = None
    seen = {}
    for queues in (("dw-big",), ("dw-local",), ("dw-local", "dw-big")):
        consumer.task_consumer = TakesFrom(*queues)
        bootstep.PoolTick(consumer).start(consumer)
        (worker,) = bench.pool.snapshot().workers
        seen[queues] = worker.task_names
    assert seen == {
        ("dw-big",): {contacts},
        ("dw-local",): {SYNC},
        ("dw-local", "dw-big"): {SYNC, contacts},
    }


def test_a_worker_is_online_from_its_start_to_its_end(bench: Bench, consumer: Any) -> None:
    step = bootstep.PoolTick(consumer)
    step.start(consumer)
    (worker,) = bench.pool.snapshot().workers
    assert (worker.name, worker.capacity, worker.is_online) == ("celery@here", 4, True)
    assert worker.task_names == {SYNC}
    step.close(consumer)
    assert not any(w.is_online for w in bench.pool.snapshot().workers)
    assert consumer.timer.entries[0].cancelled


def test_a_worker_ticks_once_after_a_reconnection(bench: Bench, consumer: Any) -> None:
    step = bootstep.PoolTick(consumer)
    step.start(consumer)
    step.stop(consumer)
    step.start(consumer)
    assert [entry.cancelled for entry in consumer.timer.entries] == [True, False]


def test_a_lost_store_does_not_end_the_worker(bench: Bench, consumer: Any) -> None:
    bench.store.is_lost = True
    step = bootstep.PoolTick(consumer)
    step.start(consumer)
    step.close(consumer)


def test_a_connection_that_is_gone_does_not_end_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kombu raises then: it was seen with a channel that was closed meanwhile."""
    asked = []

    def post(task_name: str, **options: Any) -> None:
        asked.append(task_name)
        raise AttributeError("'NoneType' object has no attribute 'client'")

    monkeypatch.setattr(dispatch, "post", post)
    monkeypatch.setattr(bootstep, "_look", Overdue(bootstep.LOOK_SECONDS))
    bootstep.tick("celery@here", 4)
    assert asked == ["ingestion.tasks.look_for_troubles"]


def test_a_tick_ends_the_task_of_a_lost_worker(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    bench.clock.advance(seconds=91)
    with use_worker_pool(bench.another_process()):
        bootstep.tick("celery@here", 4)
    assert SyncHistory.objects.get().status == "failed"


def test_a_killed_child_fails_its_task_at_once(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    bootstep.on_task_failure(
        exception=KILLED, kwargs={"task_id": task_id, "attempt": 1}, sender=None
    )
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == (
        "failed",
        "The worker process was killed (signal 9).",
    )


def test_a_child_that_had_to_be_killed_leaves_its_task_cancelled(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    bench.pool.cancel_task(task_id, change=ChangeRequest(by="ann", reason="too slow"))
    bootstep.on_task_failure(exception=KILLED, kwargs={"task_id": task_id, "attempt": 1})
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == (
        "cancelled",
        "Cancelled by ann: too slow. The worker process was killed (signal 9).",
    )


def test_a_child_killed_by_a_shutdown_leaves_its_task_queued(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children.state, "should_stop", 0)
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    bench.pool.worker_tick("w1", capacity=1)
    bench.pool.worker_gone("w1")
    bootstep.on_task_failure(exception=KILLED, kwargs={"task_id": task_id, "attempt": 1})
    task = bench.pool.get_task_status(task_id)
    assert (task.status, task.max_attempts) == ("queued", 2)
    assert SyncHistory.objects.get().status == "queued"


def test_news_that_comes_twice_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    for _ in range(2):
        bootstep.on_task_failure(exception=KILLED, kwargs={"task_id": task_id, "attempt": 1})
    assert "could not be told" not in caplog.text


@pytest.mark.parametrize(
    ("exception", "held"),
    [(ValueError("x"), True), (KILLED, False), (None, True)],
)
def test_other_failures_are_none_of_its_business(
    bench: Bench, exception: Exception | None, held: bool
) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    kwargs = {"task_id": task_id, "attempt": 1} if held else {"full": True}
    bootstep.on_task_failure(exception=exception, kwargs=kwargs)
    assert bench.pool.get_task_status(task_id).status == "running"


def test_news_of_an_older_attempt_is_dropped(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bootstep.on_task_failure(exception=KILLED, kwargs={"task_id": task_id, "attempt": 0})
    assert bench.pool.get_task_status(task_id).status == "running"


class BrokenConnection:
    """A connection as kombu leaves it when Redis went away with a message unacknowledged."""

    transport = None

    def collect(self, **_: Any) -> None: ...

    def close(self) -> None:
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    def __getattr__(self, name: str) -> Any:
        if name in ("connection_errors", "channel_errors"):
            return (OSError,)
        raise AttributeError(name)


@pytest.mark.parametrize(("cls", "survives"), [(Consumer, False), (SteadyConsumer, True)])
def test_a_consumer_outlives_its_connection(cls: type[Consumer], survives: bool) -> None:
    """The first case is the fault that the subclass exists for; when it passes, delete both."""
    consumer = cls.__new__(cls)
    consumer.app = current_app._get_current_object()
    consumer.connection = BrokenConnection()
    try:
        consumer.on_connection_error_after_connected(ConnectionError("reset"))
    except AttributeError:
        assert not survives
    else:
        assert survives
    assert consumer.connection is None


def test_the_app_uses_the_consumer_that_survives() -> None:
    assert current_app.conf.worker_consumer == "ingestion.services.worker.consumer:SteadyConsumer"
    assert bootstep.PoolTick in current_app.steps["consumer"]


def test_a_worker_tells_at_its_start_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingestion.checks.crm_environment", dict)
    with caplog.at_level("WARNING"):
        bootstep.report_problems(sender=None)
    assert "ingestion.W004" in caplog.text


def worker_with(pool: str) -> Any:
    """As Celery tells of a worker that is about to start."""
    return SimpleNamespace(
        pool_cls=type("TaskPool", (), {"__module__": f"celery.concurrency.{pool}"})
    )


@pytest.mark.parametrize("pool", ["thread", "gevent", "eventlet", "custom"])
def test_a_worker_that_shares_a_process_among_syncs_is_refused(pool: str) -> None:
    with pytest.raises(SystemExit) as refused:
        bootstep.refuse_unsuited(worker_with(pool))
    assert str(refused.value) == (
        f"A worker with --pool={pool} cannot run syncs: take --pool=prefork, the default, or solo."
    )


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_with_a_process_for_each_sync_starts(pool: str) -> None:
    bootstep.refuse_unsuited(worker_with(pool))
