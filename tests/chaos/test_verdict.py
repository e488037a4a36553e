"""The verdict sees what it is there to see: each broken promise, made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.judges.facts import Ending, Facts
from tests.chaos.notes import Accepted, Call, Death, End, Harm, Kill, LimitChange, Notes, Stop
from tests.chaos.runs import Run, read_runs
from tests.chaos.verdict import findings


def a_run(task_id: str = "a", start: float = 10.0, until: float = 11.0, **more: Any) -> Run:
    given = {"attempt": 1, "pid": 1, "group": 1, "started_at": start, "how": "done"} | more
    return Run(task_id=task_id, start=start, end=until, ran_until=until, **given)


def a_row(status: str = "success", **more: Any) -> dict[str, Any]:
    route = {"crm_source": "five9", "sync_type": "contacts"}
    usual = {"attempt": 1, "end_time": "now", "started_at": 10.0, "error_message": None}
    return {"status": status, **route, **usual} | more


def facts(*runs: Run, limit: int = 2, **more: Any) -> Facts:
    """Of tasks that all went well, unless ``more`` says otherwise."""
    ids = sorted({run.task_id for run in runs})
    notes = Notes(began_at=0.0, limits=[LimitChange(limit, 0.0, 0.1)])
    notes.accepted = {i: Accepted(i, 1.0, 1.1) for i in ids}
    notes.max_attempts = dict.fromkeys(ids, 1)
    given: dict[str, Any] = {
        "notes": notes,
        "runs": [*runs],
        "rows": {i: a_row() for i in ids},
        "endings": [Ending(i, "complete", 11.0, "") for i in ids],
        "tasks": dict.fromkeys(ids, ("completed", 1)),
        "slots": {"active": 0},
        "messages": {"queued": 0},
        "busy": 0,
        "wall_minus_monotonic": 0.0,
        "audit": [*(("submit", i, "me", None) for i in ids), ("limit", "limit", "me", limit)],
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
        (facts(a_run(), endings=[Ending("a", "complete", 1.0, "")] * 2), "ended 2 times"),
        (facts(a_run(), tasks={"a": ("failed", 1)}), "failed in the store"),
        (facts(a_run(), slots={"active": 1}), "1 left in active"),
        (facts(a_run(), messages={"unacked": 3}), "3 left in unacked"),
        (facts(a_run(), busy=1), "still runs 1"),
        (facts(a_run(how="cut off")), "was not done"),
        (facts(a_run(), tasks={}), "the store does not know task a"),
        (facts(a_run(), rows={"a": a_row("failed")}), "was done and is failed"),
        (facts(a_run(), rows={"a": a_row("cancelled")}), "nobody asked for it"),
        (facts(a_run(), a_run(attempt=2, start=12, until=13)), "done in attempt 1 and ran again"),
        (facts(a_run(), audit=[]), "stands 0 times in the audit record"),
        (facts(a_run(), audit=[("submit", "a", "me", None)]), "1 changes of the limit to 2"),
        (facts(a_run(), audit=[("submit", "a", "", None)]), "nobody stands as the one who did"),
    ],
)
def test_tells_a_broken_promise(broken: Facts, says: str) -> None:
    assert any(says in finding for finding in findings(broken))


def noted(broken: Facts, **notes: Any) -> Facts:
    """With these fields of its notes."""
    for name, value in notes.items():
        setattr(broken.notes, name, value)
    return broken


def failed(*runs: Run, why: str, **notes: Any) -> Facts:
    status = {"rows": {"a": a_row("failed")}, "tasks": {"a": ("failed", 1)}}
    return noted(facts(*runs, endings=[Ending("a", "fail", 18.0, why)], **status), **notes)


def test_finds_three_attempts_where_one_was_allowed() -> None:
    cut = [a_run(attempt=n, start=10 * n, until=10 * n + 1, how="killed") for n in (1, 2)]
    three = facts(*cut, a_run(attempt=3, start=30, until=31), rows={"a": a_row(attempt=3)})
    assert findings(three) == ["task a ran 3 attempts, 1 were allowed"]
    noted(three, ends=[End(10.5, 1), End(20.5, 1)])
    assert findings(three) == []


def test_an_attempt_that_changed_rows_before_it_failed_earns_the_next() -> None:
    first = a_run(how="TransientError", until=11)
    killed = a_run(attempt=2, start=20, until=21, how="killed")
    three = facts(first, killed, a_run(attempt=3, start=30, until=31), rows={"a": a_row(attempt=3)})
    noted(three, max_attempts={"a": 2})
    assert findings(three) == ["task a ran 3 attempts, 2 were allowed"]
    first.pages = [10.5]
    assert findings(three) == []
    noted(three, max_attempts={"a": 1})
    assert findings(three) == ["task a ran 3 attempts, 1 were allowed"]


def test_an_attempt_that_began_while_its_worker_was_told_to_end_does_not_count() -> None:
    first = a_run(attempt=1, start=10, until=10.1, how="SyncInterrupted")
    two = facts(first, a_run(attempt=2, start=20, until=21), rows={"a": a_row(attempt=2)})
    assert findings(two) == ["task a ran 2 attempts, 1 were allowed"]
    assert findings(noted(two, ends=[End(9.8, 1)])) == []


def test_an_attempt_that_its_worker_killed_in_the_end_does_not_count() -> None:
    """A real sync writes nothing for seconds; nobody knows how long it ran."""
    first = a_run(attempt=1, start=10, until=10, how="")
    first.end = None
    two = facts(first, a_run(attempt=2, start=30, until=31), rows={"a": a_row(attempt=2)})
    assert findings(two) == ["task a ran 2 attempts, 1 were allowed"]
    assert findings(noted(two, ends=[End(15.0, 1)])) == []


def test_an_attempt_that_was_done_and_could_not_say_so_does_not_count() -> None:
    """Its worker was told to end at once, before it had reported."""
    two = facts(a_run(), a_run(attempt=2, start=20, until=21), rows={"a": a_row(attempt=2)})
    assert "task a ran 2 attempts, 1 were allowed" in findings(two)
    assert "task a ran 2 attempts, 1 were allowed" in findings(noted(two, ends=[End(11.2, 1)]))
    assert findings(noted(two, ends=[End(11.2, 1, is_cold=True)])) == []


@pytest.mark.parametrize("how", ["killed", "stopped", "told to end at once"])
def test_what_was_done_may_fail_only_where_its_worker_was_hit(how: str) -> None:
    why = "Worker a stopped renewing its lease of 6 s; it was lost."
    assert "task a was done and is failed" in findings(failed(a_run(), why=why))
    hits: dict[str, dict[str, Any]] = {
        "killed": {"kills": [Kill(11.2, 1, True, 1)]},
        "stopped": {"stops": [Stop(1, 11.2)]},
        "told to end at once": {"ends": [End(11.2, 1, is_cold=True)]},
    }
    assert findings(failed(a_run(), why=why, **hits[how])) == []


def test_what_was_done_may_run_again_where_no_store_could_be_told() -> None:
    why = "Worker a stopped renewing its lease of 6 s; it was lost."
    locked, frozen = Harm("lock_ledger", 10.5, 13.0), Harm("freeze_cache_past_lease", 12.0, 20.0)
    told = "task a was done and is failed"
    assert told not in findings(failed(a_run(), why=why, harms=[locked, frozen]))
    assert told in findings(failed(a_run(), why=why, harms=[locked]))
    assert told in findings(failed(a_run(), why=why, harms=[frozen]))
    assert told in findings(
        failed(a_run(), why=why, harms=[locked, Harm("kill_cache", 30.0, 31.0)])
    )


def test_what_was_done_by_a_worker_that_ends_when_its_syncs_have_is_never_told_as_failed() -> None:
    why = "Worker a stopped renewing its lease of 6 s; it was lost."
    told = findings(failed(a_run(), why=why, ends=[End(11.2, 1)]))
    assert "task a was done and is failed" in told


def test_a_cancellation_must_have_been_asked_for() -> None:
    cancelled = facts(
        a_run(how="SyncCancelled"), rows={"a": a_row("cancelled")}, tasks={"a": ("cancelled", 1)}
    )
    assert len(findings(cancelled)) == 1
    assert findings(noted(cancelled, cancels={"a": False})) == []
    assert findings(noted(cancelled, cancels={"a": True})) == [
        "the cancellation of task a is not in the audit record"
    ]


def test_finds_a_submission_of_300_seconds() -> None:
    slow = noted(facts(a_run()), calls=[Call("submit", 5.0, 305.0)])
    assert findings(slow) == ["submit took 300.0 s 5.0 s after the beginning"]


def test_finds_400_of_401_refused() -> None:
    refused = [Call("submit", n, n + 0.1, "LedgerUnavailable") for n in range(400)]
    assert findings(noted(facts(a_run()), calls=[Call("submit", 0, 1), *refused])) == [
        "400 of 401 submissions were refused"
    ]


def test_finds_an_error_that_was_raised_raw() -> None:
    raw = Call("limit", 5.0, 5.1, "InternalError")
    assert findings(noted(facts(a_run()), calls=[raw])) == [
        "limit ended with InternalError 5.0 s after the beginning"
    ]
    cut_off = Call("limit", 5.0, 5.1, "ChunkedEncodingError")
    killed = Harm("kill_web", 5.05, 5.06)
    assert findings(noted(facts(a_run()), calls=[cut_off], harms=[killed])) == []


def test_finds_50_workers_that_died_by_themselves() -> None:
    died = [Death(float(n), f"worker{n}", n, 1) for n in range(50)]
    assert len(findings(noted(facts(a_run()), died=died))) == 50


def test_a_worker_whose_child_was_killed_may_die_of_it() -> None:
    died, kills = [Death(12.0, "worker1", 7, 1)], [Kill(11.5, 99, False, 7)]
    assert findings(noted(facts(a_run()), died=died, kills=kills)) == []


@pytest.mark.parametrize(
    ("why", "cause"),
    [
        ("the CRM answered 503", {}),
        ("The worker process was killed (signal 9).", {"kills": [Kill(10.5, 1, False, 1)]}),
        ("stopped renewing its lease of 6 s", {"stops": [Stop(1, 10.5, 19.0)]}),
        ("its state was lost while the task ran", {"harms": [Harm("flush_cache", 10.5, 10.6)]}),
        ("No worker knows this task", {"harms": [Harm("kill_broker", 10.5, 12.6)]}),
        ("InternalError: cannot execute UPDATE in a read-only transaction", None),
        ("No progress for 30 minutes", None),
    ],
)
def test_every_failure_has_a_cause(why: str, cause: dict[str, Any] | None) -> None:
    how = "TransientError" if "503" in why else "killed"
    run = a_run(how=how)
    without = findings(failed(a_run(how="killed"), why=why))
    assert without == [f"task a failed for a reason that nobody caused: {why}"]
    if cause is not None:
        assert findings(failed(run, why=why, **cause)) == []


class TestOrder:
    def two(self, **notes: Any) -> Facts:
        """``b`` was submitted after ``a`` and started long before it."""
        found = facts(a_run("a", start=19, until=20), a_run("b"))
        found.rows["a"]["started_at"] = 19.0
        found.notes.accepted["b"] = Accepted("b", 2.0, 2.1)
        return noted(found, **notes)

    def test_finds_one_that_was_overtaken(self) -> None:
        assert findings(self.two()) == ["task b was submitted later than a and started first"]

    def test_a_higher_priority_may_overtake(self) -> None:
        found = self.two()
        found.notes.accepted["b"] = Accepted("b", 2.0, 2.1, priority=5)
        assert findings(found) == []

    def test_one_that_had_to_be_put_back_is_late(self) -> None:
        assert findings(self.two(harms=[Harm("lose_cache", 1.5, 1.6)])) == []

    def test_one_whose_claim_stood_in_a_store_that_was_given_up_is_late(self) -> None:
        read_only, full = Harm("read_only_ledger", 1.5, 3.0), Harm("fill_cache", 4.0, 5.0)
        assert findings(self.two(harms=[read_only, full])) == []
        assert findings(self.two(harms=[full]))
        assert findings(self.two(harms=[read_only]))
        assert findings(self.two(harms=[read_only, Harm("fill_cache", 6.5, 7.0)]))
        assert findings(self.two(harms=[read_only, Harm("fill_cache", 25.0, 26.0)]))

    def test_one_whose_task_no_worker_knew_is_late(self) -> None:
        without = Harm("older_worker", 9.0, 9.5, told="worker2 without five9.contacts")
        assert findings(self.two(harms=[without])) == []
        without.told = "worker2 without hubspot.deals"
        assert findings(self.two(harms=[without])) != []
        too_early = Harm("older_worker", -5.0, -1.0, told="worker2 without five9.contacts")
        assert findings(self.two(harms=[too_early])) != []

    def test_two_submissions_at_once_have_no_order(self) -> None:
        found = self.two()
        found.notes.accepted["b"] = Accepted("b", 1.05, 2.1)
        assert findings(found) == []


def test_a_limit_counts_from_the_claim_on() -> None:
    """Lowered while three run: no fourth may start, and the three may end."""
    three = [a_run(name, start=10, until=14) for name in "abc"]
    lowered = LimitChange(1, 11.0, 11.1)
    allowed = facts(*three, limit=3)
    allowed.notes.limits.append(lowered)
    allowed.audit.append(("limit", "limit", "me", 1))
    assert findings(allowed) == []
    broken = facts(*three, a_run("d", start=15, until=16), a_run("e", start=15, until=16), limit=3)
    broken.notes.limits.append(lowered)
    broken.audit.append(("limit", "limit", "me", 1))
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
