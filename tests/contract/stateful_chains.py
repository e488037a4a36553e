"""The rules of tasks that wait for others, for the random histories of a store."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from tests.contract.stateful_operators import ANYTHING, LOST, WHO, OperatorRules


class ChainRules(OperatorRules):
    """Expects the harness of ``StoreMachine``."""

    def _submit(self, *given: Any, **options: Any) -> None:
        raise NotImplementedError

    def _finish(self, task_id: str, attempt: int, outcome: Outcome, lost: bool) -> None:
        raise NotImplementedError

    @precondition(lambda self: self.ids)
    @rule(
        whom=st.lists(st.tuples(WHO, ANYTHING), min_size=1, max_size=2),
        delay=st.sampled_from([None, None, 205]),
        ends=st.sampled_from([None, "completed", "completed", "failed"]),
        lost=LOST,
    )
    def a_follower_comes(
        self, whom: list[tuple[str, int]], delay: int | None, ends: str | None, lost: bool
    ) -> None:
        """Behind others, which then may end."""
        before = [self.pick(who, n) for who, n in whom]
        self._submit("arrivy", 1, 2, delay, lost, after=[task_id for task_id, _ in before])
        for task_id, attempt in before if ends else ():
            self._finish(task_id, attempt, Outcome(TaskStatus(ends or ""), "it ended"), lost)

    @precondition(lambda self: self.ids)
    @rule(n=ANYTHING, lost=LOST)
    def meet(self, n: int, lost: bool) -> None:
        """The ledger knows what one that waits for others waits for."""
        waiting = [task for task in self.pool.store.queued() if task.after]
        if waiting:
            task = waiting[n % len(waiting)]
            gone = min(task.after)
            self.do(
                "meet",
                lambda s: s.meet(task.id, predecessors=[gone]),
                lost=lost,
                task_id=task.id,
            )
