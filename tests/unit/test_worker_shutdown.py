"""The thread that ends a worker's syncs, with children that only remember what they are told."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from ingestion.services.worker import children
from ingestion.services.worker.children import Busy, Held
from ingestion.services.worker.shutdown import Shutdown

TERM, QUIT, KILL = signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL
WAIT_SECONDS = 20.0


@dataclass
class Child:
    """Ends at one of the signals ``ends_at``, and has then answered unless it was killed."""

    pid: int
    ends_at: tuple[int, ...] = (TERM, QUIT)
    is_sync: bool = True
    told: list[int] = field(default_factory=list)
    is_alive: bool = True
    is_done: bool = False

    def __post_init__(self) -> None:
        job = SimpleNamespace(ready=lambda: self.is_done, successful=lambda: self.is_alive)
        self.busy = Busy(
            self.pid, Held(f"t{self.pid}", 1, self.pid) if self.is_sync else None, Job(job)
        )

    def tell(self, number: int) -> None:
        self.told.append(number)
        self.is_alive = self.is_alive and number != KILL
        self.is_done = self.is_done or (self.is_alive and number in self.ends_at)


class Job:
    def __init__(self, says: SimpleNamespace) -> None:
        self.ready, self.successful = says.ready, says.successful


@dataclass
class Worker:
    children: dict[int, Child] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    refusals: int = 0

    def add(self, pid: int, **options: object) -> Child:
        self.children[pid] = Child(pid, **options)  # type: ignore[arg-type]
        return self.children[pid]

    def tell(self, pid: int, number: signal.Signals) -> None:
        self.events.append(number.name)
        self.children[pid].tell(number)

    def queue_again(self, held: Held) -> bool:
        self.refusals -= 1
        if self.refusals >= 0:
            return False
        self.events.append(f"queue {held.task_id}")
        return True

    def shutdown(self, *, seconds: float, begins_politely: bool = False) -> Shutdown:
        return Shutdown(
            seconds=seconds,
            say_goodbye=lambda: self.events.append("goodbye"),
            queue_again=self.queue_again,
            begins_politely=begins_politely,
            is_over=self.is_over.is_set,
        )

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.events
            time.sleep(0.01)

    def end(self) -> None:
        self.is_over.set()
        for thread in threading.enumerate():
            if thread.name == "pool-shutdown":
                thread.join(WAIT_SECONDS)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    worker = Worker()
    monkeypatch.setattr(
        children,
        "busy_children",
        lambda: [c.busy for c in worker.children.values() if not c.is_done and c.is_alive],
    )
    monkeypatch.setattr(children, "is_alive", lambda pid: worker.children[pid].is_alive)
    monkeypatch.setattr(children, "tell", worker.tell)
    yield worker
    worker.end()


def test_it_says_goodbye_and_asks_each_sync_once(worker: Worker) -> None:
    one, other = worker.add(1), worker.add(2)
    worker.shutdown(seconds=60).begin()
    worker.wait(lambda: one.is_done and other.is_done)
    worker.end()
    assert worker.events == ["goodbye", "SIGTERM", "SIGTERM"]


def test_it_asks_one_that_begins_late(worker: Worker) -> None:
    worker.shutdown(seconds=60).begin()
    worker.wait(lambda: worker.events)
    late = worker.add(3)
    worker.wait(lambda: late.told == [TERM])


def test_it_leaves_other_tasks_their_time(worker: Worker) -> None:
    monitor = worker.add(1, is_sync=False, ends_at=())
    worker.shutdown(seconds=0.4).begin()
    worker.wait(lambda: not monitor.is_alive)
    worker.end()
    assert monitor.told == [KILL]
    assert worker.events == ["goodbye", "SIGKILL"]


def test_one_that_does_not_stop_is_interrupted_then_killed_and_queued_again(
    worker: Worker,
) -> None:
    worker.refusals = 2
    stuck = worker.add(1, ends_at=())
    worker.shutdown(seconds=0.6).begin()
    worker.wait(lambda: "queue t1" in worker.events)
    worker.end()
    assert stuck.told == [TERM, QUIT, KILL]
    assert worker.events.count("queue t1") == 1


def test_a_hurry_interrupts_at_once(worker: Worker) -> None:
    stuck = worker.add(1, ends_at=(QUIT,))
    shutdown = worker.shutdown(seconds=60)
    shutdown.begin()
    worker.wait(lambda: stuck.told == [TERM])
    shutdown.begin(at_once=True)
    worker.wait(lambda: stuck.is_done)
    assert stuck.told == [TERM, QUIT]


def test_what_is_left_when_the_process_ends_is_killed_and_queued_again(worker: Worker) -> None:
    worker.add(1, ends_at=())
    worker.shutdown(seconds=60).begin()
    worker.wait(lambda: "SIGTERM" in worker.events)
    worker.end()
    assert worker.events == ["goodbye", "SIGTERM", "SIGKILL", "queue t1"]


@pytest.mark.parametrize(("begins_politely", "told"), [(False, [QUIT]), (True, [TERM, QUIT])])
def test_it_hears_a_signal_before_celery_does(
    worker: Worker, begins_politely: bool, told: list[int]
) -> None:
    """Politely: where Celery itself waits for a soft shutdown."""
    seen: list[bool] = []
    shutdown = worker.shutdown(seconds=60, begins_politely=begins_politely)
    stuck = worker.add(1, ends_at=())
    before = signal.signal(QUIT, lambda number, frame: seen.append(shutdown.has_begun))
    try:
        shutdown.hear(QUIT)
        signal.raise_signal(QUIT)
        worker.wait(lambda: stuck.told)
        signal.raise_signal(QUIT)
        worker.wait(lambda: stuck.told == told)
    finally:
        signal.signal(QUIT, before)
    assert seen == [True, True]
