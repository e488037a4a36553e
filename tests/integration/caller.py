"""A caller under load: what it was promised, and whether that was kept."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.integration.system import System

LIMIT = 2


class Caller:
    """Calls the pool and remembers what it has taken."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.accepted: dict[str, int] = {}
        self._labels = count(1)

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        return self.system.call(verb, *args, **kwargs)

    def submit(self, *, steps: int) -> str:
        label = next(self._labels)
        parameters = {"batch_size": label, "max_records": steps}
        task_id: str = self.call("submit_task", "five9", "contacts", parameters)
        self.accepted[task_id] = label
        return task_id

    def is_degraded(self) -> bool:
        return bool(self.call("get_stats")["degraded"])


def most_at_once(system: System) -> int:
    changes = sorted(
        [(run["at"], 1) for run in system.runs()]
        + [(run["at"], -1) for run in system.runs(what="end")]
    )
    running = most = 0
    for _, step in changes:
        running += step
        most = max(most, running)
    return most


def assert_all_ran_once(caller: Caller) -> None:
    system = caller.system
    for task_id, label in caller.accepted.items():
        assert system.ended(task_id)["status"] == "completed", system.task(task_id)
        assert len(system.runs(label)) == 1
        assert system.closed_row(task_id)["status"] == "success"
    assert most_at_once(system) <= LIMIT
