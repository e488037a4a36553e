"""Random histories: a store in Redis and one in memory never come to differ."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from redis import Redis

from ingestion.pool.change import ChangeRequest
from ingestion.pool.controls import PoolControls
from ingestion.pool.errors import PoolError
from ingestion.pool.keys import PoolKeys
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import Finished, Outcome, PoolPolicy, PoolStore, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.state_dump import everything
from tests.contract.stores import BOB, ORDER_VERBS, Pool, a_task, memory_pool, redis_pool

# Time passes in tens of seconds, and no limit is a multiple of ten: the few milliseconds by which
# the two clocks differ decide nothing.
POLICY = PoolPolicy(
    lease_seconds=97,
    stale_seconds=1807,
    dispatch_seconds=63,
    retention_seconds=3613,
    priority_aging_seconds=3607,
    worker_ttl_seconds=67,
    retry_backoff_seconds=33,
    retry_backoff_max_seconds=1801,
)
CRMS = st.sampled_from(["hubspot", "genius", "arrivy"])
OUTCOMES = st.builds(
    lambda status, retry, stopped, earned: Outcome(
        TaskStatus(status),
        f"it {status}",
        {"rows": 1},
        retry_in_seconds=retry if status == "failed" else None,
        is_interruption=stopped and status == "failed",
        is_earned=earned and status == "failed",
    ),
    st.sampled_from(["completed", "failed", "failed", "cancelled"]),
    st.sampled_from([None, 0, 23]),
    st.booleans(),
    st.booleans(),
)
LESS_THAN_A_DAY = 80_000
# Which of the tasks so far a new one waits for; most for none.
AFTER = st.one_of(st.just([]), st.just([]), st.lists(st.integers(0, 40), max_size=2))


def essence(found: Any) -> Any:
    """What must be equal: everything but exact times."""
    if isinstance(found, WorkerTask):
        return {n: _without_order(n, v) for n, v in found.to_dict().items()}
    if isinstance(found, Finished):
        return essence(found.task), essence(found.started)
    if isinstance(found, Reaped):
        parts = (found.lost, found.stale, found.unconfirmed, found.blocked)
        return [sorted(map(str, map(essence, part))) for part in parts]
    if isinstance(found, PoolSnapshot):
        return essence_of_snapshot(found)
    if isinstance(found, PoolControls):
        named = {n: (c.value, c.set_by, c.reason) for n, c in found.named().items()}
        return named, found.priority_aging
    if isinstance(found, tuple):
        return [essence(each) for each in found]
    return found


TIMES = ("_at", "_heartbeat", "not_before")
LINKS = ("after", "followers")


def _without_order(name: str, value: Any) -> Any:
    if name in LINKS:
        return sorted(value.items())
    return bool(value) if name.endswith(TIMES) else value


def essence_of_snapshot(found: PoolSnapshot) -> dict[str, Any]:
    return {
        "active": sorted(str(essence(task)) for task in found.active),
        "queued": essence(found.queued),
        "delayed": essence(found.delayed),
        "held": essence(found.held),
        "counts": (found.queued_count, found.delayed_count, found.held_count),
        "slots": found.effective_limit,
        "controls": essence(found.controls),
        "limit": (found.limit.max_workers, found.limit.set_by, found.limit.reason),
        "oldest": found.oldest_queued_at is not None,
        "workers": [(w.name, w.capacity, w.is_online) for w in found.workers],
        "counters": found.counters,
        "dead_letters": found.dead_letters,
    }


class BothStores(RuleBasedStateMachine):
    """Every rule does the same to both; ids are chosen among all that were ever submitted."""

    client: Redis

    def __init__(self) -> None:
        super().__init__()
        self.pools: list[Pool] = [self.first_twin(), memory_pool(POLICY)]
        self.ids: list[str] = []
        self.elapsed = 0
        self.tokens = 0

    def first_twin(self) -> Pool:
        return redis_pool(self.client, POLICY, PoolKeys(f"{{{uuid.uuid4().hex}}}:"))

    def teardown(self) -> None:
        self.pools[0].store.reset()

    def both(self, verb: Callable[[PoolStore], Any]) -> Any:
        of_redis, of_memory = (answer_of(verb, pool.store) for pool in self.pools)
        assert of_redis == of_memory
        return of_redis

    def token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def pick(self, data: st.DataObject) -> tuple[str, int]:
        """A task that was once submitted, and its attempt, now and then a wrong one."""
        task_id = data.draw(st.sampled_from(self.ids))
        task = self.pools[1].store.get(task_id)
        slip = data.draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
        return task_id, (task.attempt if task else 0) + slip

    @rule(
        crm=CRMS,
        priority=st.integers(-2, 2),
        attempts=st.integers(1, 3),
        delay=st.sampled_from([None, None, None, -50, 203]),
        on_overlap=st.sampled_from(OnOverlap),
        after=AFTER,
    )
    def submit(
        self,
        crm: str,
        priority: int,
        attempts: int,
        delay: int | None,
        on_overlap: OnOverlap,
        after: list[int],
    ) -> None:
        now = utc_now() + timedelta(seconds=self.elapsed)
        task = a_task(
            crm,
            id=f"task-{len(self.ids):03}",
            priority=priority,
            max_attempts=attempts,
            not_before=None if delay is None else now + timedelta(seconds=delay),
            after=dict.fromkeys((self.ids[n % len(self.ids)] for n in after if self.ids), "r"),
        )
        self.ids.append(task.id)
        self.both(lambda store: store.submit(task, on_overlap=on_overlap))

    @rule(times=st.integers(1, 2))
    def claim(self, times: int) -> None:
        token = self.token()
        for _ in range(times):
            self.both(lambda store: store.claim(token=token))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), token=st.sampled_from(["a", "b"]))
    def confirm(self, data: st.DataObject, token: str) -> None:
        task_id, attempt = self.pick(data)
        self.both(lambda s: s.confirm(task_id, attempt=attempt, worker="w", token=token))

    @rule()
    def confirm_all(self) -> None:
        for task in self.pools[1].store.active():
            self.both(lambda s, t=task: s.confirm(t.id, attempt=t.attempt, worker="w", token="all"))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        task_id, attempt = self.pick(data)
        self.both(lambda store: store.heartbeat(task_id, attempt=attempt))

    @rule()
    def heartbeat_all(self) -> None:
        for task in self.pools[1].store.active():
            self.both(lambda s, t=task: s.heartbeat(t.id, attempt=t.attempt))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), rows=st.integers(0, 5))
    def report_progress(self, data: st.DataObject, rows: int) -> None:
        task_id, attempt = self.pick(data)
        self.both(lambda s: s.report_progress(task_id, attempt=attempt, progress={"rows": rows}))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), outcome=OUTCOMES, times=st.integers(1, 2))
    def finish(self, data: st.DataObject, outcome: Outcome, times: int) -> None:
        (task_id, attempt), token = self.pick(data), self.token()
        for _ in range(times):
            self.both(lambda s: s.finish(task_id, attempt=attempt, outcome=outcome, token=token))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), times=st.integers(1, 2))
    def return_to_queue(self, data: st.DataObject, times: int) -> None:
        task_id, attempt = self.pick(data)
        for _ in range(times):
            self.both(lambda store: store.return_to_queue(task_id, attempt=attempt))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task_id, _ = self.pick(data)
        self.both(lambda store: store.cancel(task_id, change=ChangeRequest(reason="by alice")))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def meet(self, data: st.DataObject) -> None:
        task_id, _ = self.pick(data)
        other, _ = self.pick(data)
        self.both(lambda store: store.meet(task_id, predecessors=[other]))

    @rule()
    def reap(self) -> None:
        self.both(lambda store: store.reap())

    @precondition(lambda self: self.elapsed < LESS_THAN_A_DAY)
    @rule(seconds=st.sampled_from([10, 40, 70, 100, 400, 2000, 4000]))
    def let_pass(self, seconds: int) -> None:
        self.elapsed += seconds
        for pool in self.pools:
            pool.let_pass(seconds)
            # The ledger forgets at once what was retained for long enough, other stores in their
            # next round of repairs.
            pool.store.forget_finished(max_age_seconds=POLICY.retention_seconds)

    @rule(limit=st.integers(0, 5))
    def set_limit(self, limit: int) -> None:
        self.both(lambda store: type(store.set_limit(limit, change=BOB)))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), what=st.sampled_from([*ORDER_VERBS]))
    def order(self, data: st.DataObject, what: str) -> None:
        task_id, _ = self.pick(data)
        number = data.draw(st.integers(-2, 2))
        change = ChangeRequest("ann", "why", data.draw(st.sampled_from([None, 1, 2])))
        self.both(lambda store: ORDER_VERBS[what](store, task_id, change, number))

    @rule(crm=st.sampled_from([None, "hubspot"]), seconds=st.sampled_from([None, 203]))
    def pause(self, crm: str | None, seconds: int | None) -> None:
        now = utc_now() + timedelta(seconds=self.elapsed)
        end = None if seconds is None else now + timedelta(seconds=seconds)
        self.both(
            lambda store: store.pause(
                crm,
                change=ChangeRequest(by="bob", reason="why"),
                expires_at=end,
            )
        )

    @rule(crm=st.sampled_from([None, "hubspot"]))
    def resume(self, crm: str | None) -> None:
        self.both(lambda store: store.resume(crm, change=BOB))

    @rule(limit=st.sampled_from([None, 1, 2]))
    def set_crm_limit(self, limit: int | None) -> None:
        self.both(lambda store: store.set_limit(limit, change=BOB, crm_source="genius"))

    @rule(seconds=st.sampled_from([0, 67, 3607]), at_most=st.integers(1, 3))
    def set_priority_aging(self, seconds: int, at_most: int) -> None:
        revision = self.pools[1].store.controls().priority_aging.revision + 1
        aging = PriorityAging(seconds, revision, set_by="bob")

        def verb(store: PoolStore) -> PoolControls:
            store.set_priority_aging(aging)
            while store.rescore(at_most=at_most):
                pass
            return store.controls()

        self.both(verb)

    @rule(
        name=st.sampled_from(["w1", "w2"]),
        capacity=st.integers(1, 3),
        known=st.one_of(st.none(), st.none(), st.sets(CRMS)),
    )
    def worker_seen(self, name: str, capacity: int, known: set[str] | None) -> None:
        names = None if known is None else {f"ingestion.tasks.sync_{crm}_contacts" for crm in known}
        self.both(lambda store: store.worker_seen(name, capacity=capacity, task_names=names))

    @rule(name=st.sampled_from(["w1", "w2"]))
    def worker_gone(self, name: str) -> None:
        self.both(lambda store: store.worker_gone(name))

    @rule(limit=st.integers(0, 4))
    def clear_queue(self, limit: int) -> None:
        self.both(
            lambda store: store.clear_queue(change=ChangeRequest(reason="cleared"), limit=limit)
        )

    @rule(age=st.sampled_from([5, 95, 1005]))
    def forget_finished(self, age: int) -> None:
        self.both(lambda store: store.forget_finished(max_age_seconds=age))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), attempt=st.integers(0, 2))
    def restore(self, data: st.DataObject, attempt: int) -> None:
        task_id, _ = self.pick(data)
        old = a_task(id=task_id, attempt=attempt, queued_at=utc_now() - timedelta(hours=1))
        self.both(lambda store: store.restore([old]))

    @invariant()
    def they_look_the_same(self) -> None:
        self.both(lambda store: store.snapshot())
        self.both(lambda store: store.queued(offset=1, limit=3))

    @invariant()
    def every_task_is_in_one_place(self) -> None:
        snapshot = self.pools[0].store.snapshot()
        ids = [t.id for t in everything(snapshot)]
        assert len(ids) == len(set(ids))
        assert {t.status for t in snapshot.active} <= {TaskStatus.RUNNING}
        waiting = (*snapshot.queued, *snapshot.delayed, *snapshot.held)
        assert {t.status for t in waiting} <= {TaskStatus.QUEUED}


def answer_of(verb: Callable[[PoolStore], Any], store: PoolStore) -> Any:
    """What it gives, or the kind and words of its refusal."""
    try:
        return essence(verb(store))
    except PoolError as refusal:
        return type(refusal), str(refusal)


@pytest.mark.redis
def test_redis_and_memory_never_differ(redis_server: EmbeddedRedis) -> None:
    class TwinsHere(BothStores):
        client = Redis.from_url(redis_server.url(3))

    TwinsHere.TestCase.settings = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    TwinsHere.TestCase("runTest").runTest()
