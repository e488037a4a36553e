"""Random histories of one store: all verbs, clocks that jump, replies that get lost.

Every rule is also a plain method: what hypothesis prints of a failure can be kept as a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from ingestion.pool.errors import PoolError
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import ANSWER_SECONDS, Outcome, PoolPolicy, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from tests.contract.invariants import Invariants, PoolAction
from tests.contract.state_dump import StateDump, look
from tests.contract.stateful_chains import ChainRules
from tests.contract.stateful_operators import ANYTHING, LOST, WHO
from tests.contract.stores import Pool, a_task, memory_pool

# Time passes in tens of seconds, and no clock is near a multiple of ten: the time that the test
# itself takes decides nothing.
POLICY = PoolPolicy(
    lease_seconds=95,
    stale_seconds=1805,
    dispatch_seconds=65,
    retention_seconds=3615,
    priority_aging_seconds=3605,
    worker_ttl_seconds=65,
    retry_backoff_seconds=35,
    retry_backoff_max_seconds=1805,
)
SLIPS = st.sampled_from([0] * 10 + [1, -1])
PRIORITIES = st.lists(st.integers(-2, 2), min_size=1, max_size=6)
JUMPS = [10, 10, 40, 70, 100, 400, 2000, 4000, -10, -100, -2000]
LATEST_REPEAT = timedelta(seconds=ANSWER_SECONDS - 15)
REMEMBERED = 8

Verb = Callable[[PoolStore], Any]


@dataclass(frozen=True)
class Call:
    """A call that had an answer, so that it can be made once more later."""

    action: PoolAction
    verb: Verb
    before: StateDump


class StoreMachine(ChainRules):
    """A store in memory. Ids are chosen by number among all that were ever submitted."""

    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tokens = 0
        self.calls: list[Call] = []
        self.seen: StateDump | None = None

    # What a kind of store brings

    def open(self, policy: PoolPolicy) -> Pool:
        return memory_pool(policy)

    def check_inside(self, picture: StateDump) -> None:
        """Nothing more can be seen in memory."""

    def twice(self, verb: Verb, *, has_token: bool) -> Any:
        """Call, lose the answer, call again."""
        if has_token:
            verb(self.pool.store)
        return verb(self.pool.store)

    # The harness

    @initialize(is_strict=st.booleans(), limit=st.integers(1, 4), priorities=PRIORITIES)
    def begin(self, is_strict: bool, limit: int, priorities: list[int]) -> None:
        aging = 0 if is_strict else POLICY.priority_aging_seconds
        policy = replace(POLICY, priority_aging_seconds=aging, default_max_workers=limit)
        self.promises = Invariants(policy)
        self.pool = self.open(policy)
        self.work_comes(priorities, confirmed=True)

    def look(self, *new: str) -> StateDump:
        return look(self.pool.store, {*self.promises.known, *new})

    def do(
        self,
        name: str,
        verb: Verb,
        /,
        *,
        lost: bool = False,
        has_token: bool = False,
        **given: Any,
    ) -> Any:
        """Call a verb and judge what came of it. ``lost``: the first answer never arrived."""
        before = self.seen or self.look()
        action = PoolAction(name, given, self._answer(verb, lost=lost, has_token=has_token))
        self._judge(before, action)
        if has_token:
            self.calls = [*self.calls[1 - REMEMBERED :], Call(action, verb, before)]
        return action.answer

    def _answer(self, verb: Verb, *, lost: bool, has_token: bool) -> Any:
        try:
            return self.twice(verb, has_token=has_token) if lost else verb(self.pool.store)
        except PoolError as refusal:
            return refusal

    def _judge(self, before: StateDump, action: PoolAction) -> None:
        after = self.look(*([action.given["id"]] if action.verb == "submit" else []))
        self.promises.judge(before, action, after)
        self.check_inside(after)
        self.seen = after

    def token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def pick(self, who: str, n: int, slip: int = 0) -> tuple[str, int]:
        """A task that was once submitted, and its attempt, now and then a wrong one."""
        among = self._among(who) or self.ids
        task_id = among[n % len(among)]
        task = self.pool.store.get(task_id)
        return task_id, (task.attempt if task else 0) + slip

    def _among(self, who: str) -> list[str]:
        if who == "queued":
            return [task.id for task in self.pool.store.queued()]
        if who == "any":
            return []
        is_held = who == "held"
        return [t.id for t in self.pool.store.active() if bool(t.confirmed_at) == is_held]

    @property
    def has_tasks(self) -> bool:
        return bool(self.ids)

    # The verbs

    @rule(
        crm=st.sampled_from(["hubspot", "genius", "arrivy"]),
        priority=st.integers(-2, 2),
        attempts=st.integers(1, 3),
        delay=st.sampled_from([None, None, None, -50, 205]),
        sync_type=st.sampled_from(["contacts", "deals", "all"]),
        on_overlap=st.sampled_from([*OnOverlap, OnOverlap.COALESCE]),
        lost=LOST,
    )
    def submit(
        self,
        crm: str,
        priority: int,
        attempts: int,
        delay: int | None,
        sync_type: str,
        on_overlap: OnOverlap,
        lost: bool,
    ) -> None:
        self._submit(
            crm, priority, attempts, delay, lost, sync_type=sync_type, on_overlap=on_overlap
        )

    @rule(priorities=PRIORITIES, confirmed=st.booleans())
    def work_comes(self, priorities: list[int], confirmed: bool) -> None:
        """Left to single verbs, most histories would be over before anything runs."""
        for priority in priorities:
            self._submit(("hubspot", "genius")[priority % 2], priority, 2, None, lost=False)
        self.claim(lost=False)
        if confirmed:
            self.confirm_all()

    def _submit(
        self,
        crm: str,
        priority: int,
        attempts: int,
        delay: int | None,
        lost: bool,
        *,
        sync_type: str = "contacts",
        on_overlap: OnOverlap = OnOverlap.ALLOW,
        after: Iterable[str] = (),
    ) -> None:
        now = self.pool.store.snapshot(queue_limit=0).taken_at
        task = a_task(
            crm,
            sync_type,
            id=f"task-{len(self.ids):03}",
            priority=priority,
            max_attempts=attempts,
            not_before=None if delay is None else now + timedelta(seconds=delay),
            after=dict.fromkeys(after, "any.thing"),
        )
        self.ids.append(task.id)
        # Who was coalesced has no id of its own by which a late call would be known.
        self.do(
            "submit",
            lambda s: s.submit(task, on_overlap=on_overlap),
            lost=lost,
            has_token=on_overlap != OnOverlap.COALESCE,
            id=task.id,
            task=task,
            on_overlap=on_overlap,
        )

    @rule(lost=LOST)
    def claim(self, lost: bool) -> None:
        token = self.token()
        self.do("claim", lambda s: s.claim(token=token), lost=lost, has_token=True)

    @precondition(lambda self: self.has_tasks)
    @rule(who=WHO, n=ANYTHING, slip=SLIPS, token=st.sampled_from(["a", "b"]), lost=LOST)
    def confirm(self, who: str, n: int, slip: int, token: str, lost: bool) -> None:
        """Two tokens are two deliveries of one message."""
        task_id, attempt = self.pick(who, n, slip)
        self._confirm(task_id, attempt, f"{token}.{attempt}", lost)

    def _confirm(self, task_id: str, attempt: int, token: str, lost: bool) -> None:
        self.do(
            "confirm",
            lambda s: s.confirm(task_id, attempt=attempt, worker="w", token=token),
            lost=lost,
            has_token=True,
            task_id=task_id,
            attempt=attempt,
            token=token,
        )

    @rule()
    def confirm_all(self) -> None:
        for task in self.pool.store.active():
            self._confirm(task.id, task.attempt, f"a.{task.attempt}", lost=False)

    @precondition(lambda self: self.has_tasks)
    @rule(who=WHO, n=ANYTHING, slip=SLIPS, lost=LOST)
    def heartbeat(self, who: str, n: int, slip: int, lost: bool) -> None:
        self._heartbeat(*self.pick(who, n, slip), lost)

    @rule()
    def heartbeat_all(self) -> None:
        for task in self.pool.store.active():
            self._heartbeat(task.id, task.attempt, lost=False)

    def _heartbeat(self, task_id: str, attempt: int, lost: bool) -> None:
        self.do(
            "heartbeat",
            lambda s: s.heartbeat(task_id, attempt=attempt),
            lost=lost,
            task_id=task_id,
            attempt=attempt,
        )

    @precondition(lambda self: self.has_tasks)
    @rule(who=WHO, n=ANYTHING, slip=SLIPS, rows=st.integers(0, 5), lost=LOST)
    def report_progress(self, who: str, n: int, slip: int, rows: int, lost: bool) -> None:
        task_id, attempt = self.pick(who, n, slip)
        self.do(
            "report_progress",
            lambda s: s.report_progress(task_id, attempt=attempt, progress={"rows": rows}),
            lost=lost,
            task_id=task_id,
            attempt=attempt,
        )

    @precondition(lambda self: self.has_tasks)
    @rule(
        who=WHO,
        n=ANYTHING,
        slip=SLIPS,
        status=st.sampled_from(["completed", "failed", "failed", "cancelled"]),
        retry=st.sampled_from([None, 0, 25]),
        lost=LOST,
    )
    def finish(
        self, who: str, n: int, slip: int, status: str, retry: int | None, lost: bool
    ) -> None:
        task_id, attempt = self.pick(who, n, slip)
        retry = retry if status == "failed" else None
        outcome = Outcome(TaskStatus(status), f"it {status}", {"rows": 1}, retry_in_seconds=retry)
        self._finish(task_id, attempt, outcome, lost)

    def _finish(self, task_id: str, attempt: int, outcome: Outcome, lost: bool) -> None:
        token = self.token()
        self.do(
            "finish",
            lambda s: s.finish(task_id, attempt=attempt, outcome=outcome, token=token),
            lost=lost,
            has_token=True,
            task_id=task_id,
            attempt=attempt,
            outcome=outcome,
        )

    @precondition(lambda self: self.has_tasks)
    @rule(who=WHO, n=ANYTHING, slip=SLIPS, lost=LOST)
    def return_to_queue(self, who: str, n: int, slip: int, lost: bool) -> None:
        task_id, attempt = self.pick(who, n, slip)
        self.do(
            "return_to_queue",
            lambda s: s.return_to_queue(task_id, attempt=attempt),
            lost=lost,
            task_id=task_id,
            attempt=attempt,
        )

    @rule(lost=LOST)
    def reap(self, lost: bool) -> None:
        self.do("reap", lambda s: s.reap(), lost=lost)

    @rule(names=st.sampled_from([["w1"], ["w1", "w2"]]), capacity=st.integers(1, 3))
    def workers_are_seen(self, names: list[str], capacity: int) -> None:
        for name in names:
            self._worker_is_seen(name, capacity)

    def _worker_is_seen(self, name: str, capacity: int) -> None:
        self.do(
            "worker_seen",
            lambda s: s.worker_seen(name, capacity=capacity),
            name=name,
            capacity=capacity,
        )

    def _lose_everything(self, n: int, lost: bool) -> None:
        """The state is gone; the ledger puts back what has not ended, perhaps more than once."""
        known = self.look().tasks
        left = [_as_ledger_knows(task) for task in known.values() if not task.status.is_final]
        self.pool.store.reset()
        self.calls.clear()
        self.seen = None
        self.promises.state_was_lost(left)
        for _ in range(1 + n % 2):
            self.pool.store.restore(left)
        self._everything_is_back(left)

    # What goes wrong around the store

    @rule(seconds=st.sampled_from(JUMPS), alive=st.booleans(), repaired=st.booleans())
    def let_pass(self, seconds: int, alive: bool, repaired: bool) -> None:
        """The clock moves; now and then back, as a corrected one does. ``alive``: workers and
        holders tell of themselves around that; ``repaired``: a round of repairs comes next."""
        if alive:
            self.heartbeat_all()
        self.pool.let_pass(seconds)
        self.seen = None
        if alive:
            for name, (_, capacity) in list(self.promises.workers.items()):
                self._worker_is_seen(name, capacity)
        if repaired:
            self.reap(lost=False)

    @precondition(lambda self: self.calls)
    @rule(n=ANYTHING)
    def repeat(self, n: int) -> None:
        """A client that waited for a lost reply calls again, after others have done things."""
        call = self.calls[n % len(self.calls)]
        before = self.seen or self.look()
        if abs(before.now - call.before.now) > LATEST_REPEAT or call.action.was_refused:
            return
        answer = self._answer(call.verb, lost=False, has_token=False)
        self._judge(before, replace(call.action, answer=answer, is_repeat=True))
        assert self.seen
        assert self.seen.state() == before.state(), f"{call.action.verb} was done twice"

    def _everything_is_back(self, left: list[WorkerTask]) -> None:
        picture = self.look()
        assert set(picture.tasks) == {task.id for task in left}
        assert not picture.active
        for task in left:
            restored = picture.tasks[task.id]
            assert (restored.status, restored.attempt) == (TaskStatus.QUEUED, task.attempt)
        by_age = sorted(left, key=lambda task: task.queued_at)
        order = sorted(left, key=lambda task: picture.tasks[task.id].queued_at)
        assert [task.id for task in order] == [task.id for task in by_age], "the order was lost"
        self.check_inside(picture)


def _as_ledger_knows(task: WorkerTask) -> WorkerTask:
    return replace(task, sync_history_id=7)
