"""What ``status --check`` calls a problem."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ingestion.pool.controls import Control
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import PoolPolicy
from ingestion.services.reporting.health import notes, problems
from tests.contract.stores import Pool, memory_pool


@pytest.fixture
def pool() -> Pool:
    """One slot, one worker, a monitor that has just run."""
    found = memory_pool(PoolPolicy(default_max_workers=1))
    found.store.worker_seen("w", capacity=4)
    found.store.note_monitor_round()
    return found


def said(snapshot: PoolSnapshot, **changes: Any) -> list[str]:
    changed = replace(snapshot, **changes)
    return list(problems(changed, monitor_seconds=120, max_wait_minutes=60))


def pass_by(pool: Pool, seconds: float) -> None:
    """Time, in which workers and beat live."""
    pool.let_pass(seconds)
    pool.store.worker_seen("w", capacity=4)
    pool.store.note_monitor_round()


def test_a_healthy_pool_has_none(pool: Pool) -> None:
    pool.held()
    pool.submit()
    assert said(pool.store.snapshot()) == []


def test_no_worker_online(pool: Pool) -> None:
    pool.store.worker_gone("w")
    assert said(pool.store.snapshot()) == [
        "No Celery worker is online; start one with 'celery -A data_warehouse worker'."
    ]


def test_a_worker_that_was_never_seen(pool: Pool) -> None:
    (problem,) = said(pool.store.snapshot(), workers=())
    assert problem.startswith("No Celery worker is online")


def test_nobody_is_told_to_start_a_worker_before_the_workers_have_reported_to_the_ledger(
    pool: Pool,
) -> None:
    found = replace(
        pool.store.snapshot(),
        workers=(),
        degraded=True,
        degraded_since=pool.store.snapshot().taken_at,
        degraded_reason="Redis does not answer.",
    )
    assert (found.state, found.runs_nothing) == ("degraded", False)
    (problem,) = said(found)
    assert problem.startswith("The pool is degraded since ")
    later = replace(found, taken_at=found.taken_at + timedelta(seconds=61), last_monitor_at=None)
    assert any(problem.startswith("No Celery worker is online") for problem in said(later))


def test_a_pool_without_workers_is_not_called_available(pool: Pool) -> None:
    assert replace(pool.store.snapshot(), workers=()).state == "unknown"


def test_an_overdue_monitor(pool: Pool) -> None:
    pool.let_pass(361)
    pool.store.worker_seen("w", capacity=4)
    (problem,) = said(pool.store.snapshot())
    assert problem.startswith("The monitor is overdue (its last round was 361 s ago)")


def test_a_monitor_that_may_be_a_little_late(pool: Pool) -> None:
    pool.let_pass(350)
    pool.store.worker_seen("w", capacity=4)
    assert said(pool.store.snapshot()) == []


def test_a_monitor_that_never_ran(pool: Pool) -> None:
    (problem,) = said(pool.store.snapshot(), last_monitor_at=None)
    assert "it has not run yet" in problem


def test_a_degraded_pool(pool: Pool) -> None:
    now = pool.store.snapshot().taken_at
    (problem,) = said(
        pool.store.snapshot(), degraded=True, degraded_since=now, degraded_reason="no Redis."
    )
    assert problem == f"The pool is degraded since {now:%Y-%m-%d %H:%M:%S} UTC: no Redis."


def test_overloaded_for_long(pool: Pool) -> None:
    pool.held()
    pool.submit()
    pass_by(pool, 3500)
    assert said(pool.store.snapshot()) == []
    pass_by(pool, 200)
    (problem,) = said(pool.store.snapshot())
    assert problem.startswith(
        "Overloaded for long: every slot is taken, and the oldest of 1 queued"
    )


def test_a_queue_that_does_not_move(pool: Pool) -> None:
    pool.submit()
    assert said(pool.store.snapshot()) == []
    pass_by(pool, 121)
    assert said(pool.store.snapshot()) == ["1 task waits although a slot is free; see 'doctor'."]


def test_entries_that_were_dead_lettered(pool: Pool) -> None:
    (problem,) = said(pool.store.snapshot(), dead_letters={"x": "{}", "y": "{}"})
    assert problem.startswith("2 entries could not be read")


def test_every_problem_at_once(pool: Pool) -> None:
    pool.store.worker_gone("w")
    pool.let_pass(timedelta(days=1).total_seconds())
    found = said(pool.store.snapshot(), dead_letters={"x": "{}"}, degraded=True)
    assert len(found) == 4


def test_a_dead_beat(pool: Pool) -> None:
    snapshot = pool.store.snapshot()
    last_beat_at = snapshot.taken_at - timedelta(minutes=10)
    (problem,) = said(snapshot, last_beat_at=last_beat_at)
    assert problem.startswith("Beat is dead: its last tick was 10 minutes ago")


def test_a_beat_that_notes_its_ticks_late_is_alive(pool: Pool) -> None:
    snapshot = pool.store.snapshot()
    last_beat_at = snapshot.taken_at - timedelta(minutes=8)
    assert said(snapshot, last_beat_at=last_beat_at) == []


class TestANewSystem:
    """Up for some seconds, with a monitor that makes a round every two minutes."""

    @staticmethod
    def told(snapshot: PoolSnapshot, *, up_seconds: float) -> tuple[list[str], list[str]]:
        clocks = {"monitor_seconds": 120, "up_seconds": up_seconds}
        return list(problems(snapshot, max_wait_minutes=60, **clocks)), list(
            notes(snapshot, **clocks)
        )

    def test_waits_calmly_for_its_first_round(self, pool: Pool) -> None:
        new = replace(pool.store.snapshot(), last_monitor_at=None)
        wrong, (note,) = self.told(new, up_seconds=20)
        assert wrong == []
        assert note.endswith("the monitor's first round is due within 2 min.")
        wrong, (note,) = self.told(new, up_seconds=300)
        assert wrong == []
        assert note.endswith("any moment.")

    def test_is_overdue_in_the_end(self, pool: Pool) -> None:
        new = replace(pool.store.snapshot(), last_monitor_at=None)
        (problem,), calm = self.told(new, up_seconds=361)
        assert "it has not run yet" in problem
        assert calm == []

    def test_does_not_mind_a_long_break(self, pool: Pool) -> None:
        old = pool.store.snapshot().taken_at - timedelta(days=1)
        back = replace(pool.store.snapshot(), last_monitor_at=old, last_beat_at=old)
        assert self.told(back, up_seconds=20)[0] == []
        assert len(self.told(back, up_seconds=3600)[0]) == 2

    def test_has_no_note_once_the_monitor_has_run(self, pool: Pool) -> None:
        assert self.told(pool.store.snapshot(), up_seconds=20) == ([], [])


def test_what_waits_for_a_paused_crm_is_no_problem(pool: Pool) -> None:
    pool.submit(crm_source="hubspot")
    pool.submit(crm_source="hubspot")
    found = pool.store.snapshot()
    later = {"taken_at": found.taken_at + timedelta(seconds=300), "last_monitor_at": None}
    controls = replace(found.controls, crm_pauses={"hubspot": Control(1, "breaker")})
    slow = replace(found, **later, active=())
    assert any("although a slot is free" in problem for problem in said(slow))
    assert not any("although" in problem for problem in said(slow, controls=controls))
