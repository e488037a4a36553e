"""The rules of what operators do, for the random histories of a store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from ingestion.pool.change import ChangeRequest
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.store import PoolStore
from tests.contract.stores import BOB, ORDER_VERBS

ANYTHING = st.integers(0, 40)
LOST = st.sampled_from([False, False, False, True])
CRMS = ["hubspot", "genius"]
# Mostly the present revision, now and then none or another one.
SEEN = st.sampled_from(["now"] * 4 + ["any"] * 2 + ["older", "newer"])
WAITING = st.sampled_from(["queued"] * 5 + ["any"])
# Mostly one that runs: left to chance, nearly every call would be refused.
WHO = st.sampled_from(["held"] * 6 + ["sent", "queued", "any"])
OPERATORS = [
    "set_limit",
    "set_priority_aging",
    "clear_queue",
    "worker_gone",
    "forget_finished",
    "lose_everything",
]
ENDS = st.sampled_from([None, None, 205, 1005])


class OperatorRules(RuleBasedStateMachine):
    """Expects the harness of ``StoreMachine``."""

    pool: Any
    ids: list[str]

    def do(self, name: str, verb: Any, /, **given: Any) -> Any:
        raise NotImplementedError

    def pick(self, who: str, n: int, slip: int = 0) -> tuple[str, int]:
        raise NotImplementedError

    def _seen(self, task_id: str, seen: str) -> int | None:
        task = self.pool.store.get(task_id)
        if seen == "any" or task is None:
            return None
        return int(task.revision) + {"now": 0, "older": -1, "newer": 1}[seen]

    @precondition(lambda self: self.ids)
    @rule(
        what=st.sampled_from([*ORDER_VERBS, "release"]),
        who=WAITING,
        n=ANYTHING,
        priority=st.integers(-2, 2),
        seen=SEEN,
        lost=LOST,
    )
    def order(self, what: str, who: str, n: int, priority: int, seen: str, lost: bool) -> None:
        task_id, _ = self.pick(who, n)
        expected = self._seen(task_id, seen)
        change = ChangeRequest("ann", "wrong dates", expected)
        self.do(
            what,
            lambda s: ORDER_VERBS[what](s, task_id, change, priority),
            lost=lost,
            task_id=task_id,
            seen=expected,
            priority=priority,
        )

    @precondition(lambda self: self.ids)
    @rule(who=WAITING, n=ANYTHING, seen=SEEN, lost=LOST)
    def cancel_as_seen(self, who: str, n: int, seen: str, lost: bool) -> None:
        task_id, _ = self.pick(who, n)
        expected = self._seen(task_id, seen)
        self.do(
            "cancel",
            lambda s: s.cancel(
                task_id, change=ChangeRequest(reason="by ann", expected_revision=expected)
            ),
            lost=lost,
            task_id=task_id,
            seen=expected,
        )

    @rule(
        what=st.sampled_from(["set_limit", "pause", "resume", "resume"]),
        crm=st.sampled_from([None, *CRMS]),
        value=st.sampled_from([1, 1, 2, None]),
        seconds=ENDS,
        lost=LOST,
    )
    def control(
        self, what: str, crm: str | None, value: int | None, seconds: int | None, lost: bool
    ) -> None:
        now = self.pool.store.snapshot(queue_limit=0).taken_at
        end = None if seconds is None else now + timedelta(seconds=seconds)
        given: dict[str, Any] = {"crm": crm, "max_workers": value, "expires_at": end}

        def verb(store: PoolStore) -> Any:
            if what == "set_limit":
                return store.set_limit(value, change=BOB, crm_source=crm, expires_at=end)
            if what == "pause":
                return store.pause(crm, change=BOB, expires_at=end)
            return store.resume(crm, change=BOB)

        self.do(what, verb, lost=lost, **given)

    @rule(what=st.sampled_from(OPERATORS), n=st.integers(0, 5), lost=LOST)
    def an_operator_comes(self, what: str, n: int, lost: bool) -> None:
        """What happens now and then; as rules of their own these would leave nothing to run."""
        getattr(self, f"_{what}")(n, lost)

    def _set_limit(self, n: int, lost: bool) -> None:
        self.do(
            "set_limit",
            lambda s: s.set_limit(n, change=BOB),
            lost=lost,
            max_workers=n,
            crm=None,
        )

    def _set_priority_aging(self, n: int, lost: bool) -> None:
        """In pages of one task each."""
        seconds = (0, 65, 3605)[n % 3]
        revision = self.pool.store.controls().priority_aging.revision + 1
        aging = PriorityAging(seconds, revision, set_by="bob")

        def verb(store: PoolStore) -> None:
            store.set_priority_aging(aging)
            while store.rescore(at_most=1):
                pass

        self.do("set_priority_aging", verb, lost=lost, seconds=seconds)

    def _clear_queue(self, n: int, lost: bool) -> None:
        self.do(
            "clear_queue",
            lambda s: s.clear_queue(change=ChangeRequest(reason="cleared"), limit=n),
            lost=lost,
        )

    def _worker_gone(self, n: int, lost: bool) -> None:
        name = ("w1", "w2")[n % 2]
        self.do("worker_gone", lambda s: s.worker_gone(name), lost=lost, name=name)

    def _forget_finished(self, n: int, lost: bool) -> None:
        age = (5, 95, 1005)[n % 3]
        self.do(
            "forget_finished",
            lambda s: s.forget_finished(max_age_seconds=age),
            lost=lost,
            max_age_seconds=age,
        )
