"""The verdict sees what it is there to see: each broken promise, made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.notes import Kill, LimitChange, Notes, Stop
from tests.chaos.runs import Run, read_runs
from tests.chaos.verdict import Facts, findings


def a_run(task_id: str = "a", start: float = 10.0, until: float = 11.0, **more: Any) -> Run:
    given = {"attempt": 1, "pid": 1, "group": 1, "started_at": start, "how": "done"} | more
    return Run(task_id=task_id, start=start, end=until, ran_until=until, **given)


def a_row(status: str = "success", **more: Any) -> dict[str, Any]:
    return {"status": status, "attempt": 1, "end_time": "now", "started_at": 10.0} | more


def facts(*runs: Run, limit: int = 2, **more: Any) -> Facts:
    """Of tasks that all went well, unless ``more`` says otherwise."""
    ids = sorted({run.task_id for run in runs})
    notes = Notes(began_at=0.0, limits=[LimitChange(limit, 0.0, 0.1)])
    notes.accepted = dict.fromkeys(ids, 1.0)
    given: dict[str, Any] = {
        "notes": notes,
        "runs": [*runs],
        "rows": {i: a_row() for i in ids},
        "endings": [(i, "complete", 11.0, "") for i in ids],
        "tasks": dict.fromkeys(ids, ("completed", 1)),
        "slots": {"active": 0},
        "messages": {"queued": 0},
        "busy": 0,
        "wall_minus_monotonic": 0.0,
    }
    return Facts(**(given | more))


def test_finds_nothing_where_all_is_well() -> None:
    assert findings(facts(a_run("a"), a_run("b"), a_run("c", start=11.5, until=12))) == []


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (facts(a_run("a"), a_run("b"), a_run("c")), "3 ran at once"),
        (facts(a_run(), a_run(attempt=2, start=10.9, until=12)), "ran twice at once"),
        (facts(a_run(attempt=2), a_run(start=12, until=13)), "in the order [2, 1]"),
        (facts(a_run(), a_run(start=12, until=13)), "in the order [1, 1]"),
        (facts(a_run(), rows={}), "no row of it"),
        (facts(a_run(), rows={"a": a_row("running", end_time=None)}), "never ended"),
        (facts(a_run(), endings=[]), "ended 0 times"),
        (facts(a_run(), endings=[("a", "fail", 1.0, "")] * 2), "ended 2 times"),
        (facts(a_run(), tasks={"a": ("failed", 1)}), "failed in the store"),
        (facts(a_run(), slots={"active": 1}), "1 left in active"),
        (facts(a_run(), messages={"unacked": 3}), "3 left in unacked"),
        (facts(a_run(), busy=1), "still runs 1"),
        (facts(a_run(how="cut off")), "was not done"),
    ],
)
def test_tells_a_broken_promise(broken: Facts, says: str) -> None:
    assert any(says in finding for finding in findings(broken))


def test_a_limit_counts_from_the_claim_on() -> None:
    """Lowered while three run: no fourth may start, and the three may end."""
    three = [a_run(name, start=10, until=14) for name in "abc"]
    lowered = LimitChange(1, 11.0, 11.1)
    allowed = facts(*three, limit=3)
    allowed.notes.limits.append(lowered)
    assert findings(allowed) == []
    broken = facts(*three, a_run("d", start=15, until=16), a_run("e", start=15, until=16), limit=3)
    broken.notes.limits.append(lowered)
    for late in "de":
        broken.rows[late]["started_at"] = 15.0
    assert [found.split(" after")[0] for found in findings(broken)] == ["2 ran at once 15.0 s"]


def test_an_unanswered_change_may_be_in_force_or_not() -> None:
    notes = Notes(limits=[LimitChange(2, 0.0, 1.0), LimitChange(5, 2.0), LimitChange(3, 4.0, 4.5)])
    assert notes.limits_between(1.5, 1.8) == {2}
    assert notes.limits_between(3.0, 3.5) == {2, 5}
    assert notes.limits_between(4.6, 5.0) == {3}


class TestRuns:
    @pytest.fixture
    def read(self, tmp_path: Path) -> Callable[..., Run]:
        def read(notes: Notes, *lines: tuple[str, float]) -> Run:
            who = {"task_id": "a", "attempt": 1, "pid": 7, "group": 5, "wall": 0.0, "how": "done"}
            text = (json.dumps({**who, "what": what, "at": at}) for what, at in lines)
            (tmp_path / "runs").write_text("\n".join(text) + "\n")
            return read_runs(tmp_path / "runs", notes)[0]

        return read

    def test_one_that_was_killed_ran_until_then(self, read: Callable[..., Run]) -> None:
        for kill in (Kill(3.0, 7, False), Kill(3.0, 5, True)):
            assert read(Notes(kills=[kill]), ("start", 1.0), ("page", 2.0)).ran_until == 3.0

    def test_an_earlier_kill_of_that_number_is_another_process(
        self, read: Callable[..., Run]
    ) -> None:
        notes = Notes(kills=[Kill(0.5, 7, False)])
        assert read(notes, ("start", 1.0), ("end", 2.0)).ran_until == 2.0

    def test_one_that_only_ended_when_it_went_on_had_stopped(
        self, read: Callable[..., Run], tmp_path: Path
    ) -> None:
        notes = Notes(stops=[Stop(5, 2.0, 9.0)])
        run = read(notes, ("start", 1.0), ("page", 1.5))
        assert run.ran_until == 1.5
        line = {"task_id": "a", "attempt": 1, "pid": 7, "group": 5, "wall": 0.0}
        with (tmp_path / "runs").open("a") as file:
            file.write(
                json.dumps({**line, "what": "end", "at": 9.1, "how": "SyncLeaseLost"}) + "\n"
            )
        assert read_runs(tmp_path / "runs", notes)[0].ran_until == 2.0

    def test_one_that_went_on_to_write_ran_all_the_time(self, read: Callable[..., Run]) -> None:
        notes = Notes(stops=[Stop(5, 2.0, 9.0)])
        assert read(notes, ("start", 1.0), ("page", 9.1), ("end", 9.2)).ran_until == 9.2
