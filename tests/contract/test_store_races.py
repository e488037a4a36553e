"""Many at once: the limit holds, nothing is lost, nothing runs twice."""

from __future__ import annotations

import queue
import random
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyConfirmed, Conflict, LeaseLost, PoolUnavailable
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PoolPolicy, PoolStore
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import ANN, DONE, a_task, own_keys

CROWD, TASKS, LIMIT = 8, 200, 3
PATIENCE_SECONDS = 60

NewStore = Callable[[], PoolStore]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def new_store(request: pytest.FixtureRequest) -> Iterator[NewStore]:
    """Gives every thread a store of its own over the same state."""
    policy = PoolPolicy(default_max_workers=LIMIT)
    if request.param == "memory":
        store = MemoryPoolStore(policy)
        yield lambda: store
        return
    server: EmbeddedRedis = request.getfixturevalue("redis_server")
    with own_keys(Redis.from_url(server.url(3))) as keys:
        yield lambda: RedisPoolStore(Redis.from_url(server.url(3)), keys, policy)


class LossyRedis(Redis):
    """Carries every command out, and loses some of the replies."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chance = random.Random(7)
        self.lost = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = super().execute_command(*args, **options)
        if self.chance.random() < 0.3:
            self.lost += 1
            raise ConnectionLost("the reply was lost")
        return answer


class Workers:
    """Carries messages from claims to threads that run them, each delivered twice."""

    def __init__(self) -> None:
        self.messages: queue.Queue[WorkerTask] = queue.Queue()
        self.runs: Counter[str] = Counter()
        self.running = 0
        self.most_running = 0
        self.done = threading.Event()
        self._lock = threading.Lock()

    def send(self, tasks: tuple[WorkerTask, ...]) -> None:
        for task in tasks:
            self.messages.put(task)
            self.messages.put(task)

    def work(self, store: PoolStore) -> None:
        """Until all tasks have run."""
        while not self.done.is_set():
            try:
                self._run(store, self.messages.get(timeout=0.05))
            except queue.Empty:
                self.send(store.claim(token=uuid.uuid4().hex))

    def _run(self, store: PoolStore, task: WorkerTask) -> None:
        token = uuid.uuid4().hex
        try:
            repeated(lambda: store.confirm(task.id, attempt=task.attempt, worker="w", token=token))
        except (AlreadyConfirmed, LeaseLost):
            return
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.runs[task.id] += 1
        store.report_progress(task.id, attempt=task.attempt, progress={"rows": 1})
        with self._lock:
            self.running -= 1
        finished = repeated(
            lambda: store.finish(task.id, attempt=task.attempt, outcome=DONE, token=token)
        )
        self.send(finished.started)
        if self.runs.total() >= TASKS:
            self.done.set()


def repeated(verb: Callable[[], Any]) -> Any:
    """As callers do: the same call with the same token until a reply comes."""
    for _ in range(50):
        try:
            return verb()
        except PoolUnavailable:
            continue
    raise AssertionError("no reply came in 50 calls")


def in_a_crowd(new_store: NewStore, act: Callable[[PoolStore, int], None]) -> None:
    """Every thread starts at the same moment."""
    start = threading.Barrier(CROWD)

    def enter(number: int) -> None:
        store = new_store()
        start.wait(PATIENCE_SECONDS)
        act(store, number)

    with ThreadPoolExecutor(CROWD) as crowd:
        for done in [crowd.submit(enter, n) for n in range(CROWD)]:
            done.result(PATIENCE_SECONDS)


def test_an_empty_pool_never_starts_more_than_its_limit(new_store: NewStore) -> None:
    started: list[str] = []

    def submit_then_claim(store: PoolStore, _: int) -> None:
        store.submit(a_task())
        started.extend(task.id for task in store.claim(token=uuid.uuid4().hex))

    in_a_crowd(new_store, submit_then_claim)
    store = new_store()
    assert len(started) == len(set(started)) == LIMIT
    assert {task.id for task in store.active()} == set(started)
    assert len(store.queued()) == CROWD - LIMIT


def test_no_task_is_lost_and_none_runs_twice(new_store: NewStore) -> None:
    workers = Workers()

    def submit_and_work(store: PoolStore, number: int) -> None:
        for _ in range(TASKS // CROWD):
            store.submit(a_task(("hubspot", "genius", "arrivy")[number % 3]))
        workers.work(store)

    in_a_crowd(new_store, submit_and_work)
    assert len(workers.runs) == TASKS
    assert set(workers.runs.values()) == {1}
    assert workers.most_running <= LIMIT
    snapshot = new_store().snapshot()
    assert (snapshot.active, snapshot.queued_count) == ((), 0)
    assert snapshot.counters["completed"] == TASKS
    assert snapshot.counters["started"] == TASKS


def test_one_of_many_workers_gets_the_attempt(new_store: NewStore) -> None:
    store = new_store()
    task_id = store.submit(a_task()).id
    store.claim(token="t")
    winners: list[int] = []

    def confirm(store: PoolStore, number: int) -> None:
        try:
            store.confirm(task_id, attempt=1, worker=f"w{number}", token=str(number))
        except AlreadyConfirmed:
            return
        winners.append(number)

    in_a_crowd(new_store, confirm)
    assert len(winners) == 1
    task = store.get(task_id)
    assert task is not None
    assert task.worker == f"w{winners[0]}"


def test_an_overdue_task_is_reaped_once(new_store: NewStore) -> None:
    ended: list[str] = []
    store = new_store()
    task_id = store.submit(a_task()).id
    store.claim(token="t")
    store.confirm(task_id, attempt=1, worker="w", token="t")

    def reap(store: PoolStore, _: int) -> None:
        ended.extend(task.id for task in store.reap().ended)

    in_a_crowd(lambda: with_lease_over(new_store()), reap)
    assert ended == [task_id]


def with_lease_over(store: PoolStore) -> PoolStore:
    after = PoolPolicy().lease_seconds + 10
    if isinstance(store, RedisPoolStore):
        store.clock_offset_seconds = after
    if isinstance(store, MemoryPoolStore):
        store._clock = lambda: utc_now() + timedelta(seconds=after)
    return store


@pytest.mark.redis
def test_lost_replies_change_nothing(redis_server: EmbeddedRedis) -> None:
    """Every third reply is lost after the command was carried out, and the call is repeated."""
    lossy = LossyRedis(port=redis_server.port, db=3, retry=None)
    honest = Redis.from_url(redis_server.url(3))
    with own_keys(honest) as keys:
        store = RedisPoolStore(lossy, keys, PoolPolicy(default_max_workers=LIMIT))
        runs = run_all(store, [a_task() for _ in range(50)])
        snapshot = RedisPoolStore(honest, keys, PoolPolicy()).snapshot()
    assert (snapshot.active, snapshot.queued_count) == ((), 0)
    assert snapshot.counters == {"completed": 50, "started": 50, "submitted": 50}
    assert runs == Counter(dict.fromkeys(runs, 1))
    assert len(runs) == 50
    assert lossy.lost > 50


def run_all(store: PoolStore, tasks: list[WorkerTask]) -> Counter[str]:
    for task in tasks:
        repeated(partial(store.submit, task))
    runs: Counter[str] = Counter()
    running = deque(repeated(partial(store.claim, token="first")))
    while running:
        task, token = running.popleft(), uuid.uuid4().hex
        attempt = task.attempt
        repeated(partial(store.confirm, task.id, attempt=attempt, worker="w", token=token))
        runs[task.id] += 1
        finish = partial(store.finish, task.id, attempt=attempt, outcome=DONE, token=token)
        running.extend(repeated(finish).started)
    return runs


def test_of_many_operators_who_saw_the_same_one_is_heard(new_store: NewStore) -> None:
    task = new_store().submit(a_task())
    heard: list[WorkerTask] = []
    told: list[tuple[str, int]] = []

    def act(store: PoolStore, number: int) -> None:
        try:
            if number % 2:
                heard.append(
                    store.prioritize(
                        task.id, priority=number, change=ChangeRequest(expected_revision=1)
                    )
                )
            else:
                heard.append(
                    store.hold(task.id, change=ChangeRequest(by="ann", expected_revision=1))
                )
        except Conflict as conflict:
            told.append((conflict.status, conflict.revision))

    in_a_crowd(new_store, act)
    assert [found.revision for found in heard] == [2]
    assert told == [("queued", 2)] * (CROWD - 1)
    assert new_store().get(task.id) == heard[0]


def test_a_limit_of_one_crm_is_never_passed(new_store: NewStore) -> None:
    new_store().set_limit(1, change=ANN, crm_source="hubspot")

    def submit_then_claim(store: PoolStore, number: int) -> None:
        store.submit(a_task("hubspot"))
        store.claim(token=uuid.uuid4().hex)

    in_a_crowd(new_store, submit_then_claim)
    assert len(new_store().active()) == 1


def test_of_many_equal_requests_one_is_stored(new_store: NewStore) -> None:
    def submit(store: PoolStore, number: int) -> None:
        store.submit(a_task(priority=number), on_overlap=OnOverlap.COALESCE)

    in_a_crowd(new_store, submit)
    (task,) = new_store().queued()
    assert task.priority == CROWD - 1
