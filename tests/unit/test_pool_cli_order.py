"""The words that steer the queue: pause, drain, order, limits of a CRM, and the forecast."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingestion.management.pool_cli import pauses
from ingestion.models import AuditRecord, SyncHistory
from ingestion.services.requests.submission import Submission
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import manage, pool_in_memory, take


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def fill(pool: WorkerPoolService, count: int = 4) -> list[str]:
    """Two run, the others wait."""
    return [pool.submit_task("five9", "contacts") for _ in range(count)]


def waiting(pool: WorkerPoolService) -> list[str]:
    return [task.id for task in pool.get_queued_tasks()]


class TestLimits:
    def test_a_crm_has_its_own_limit_with_reason_and_end(self, pool: WorkerPoolService) -> None:
        words = (
            "--crm",
            "hubspot",
            "--max-workers",
            "1",
            "--expires",
            "2h",
            "--reason",
            "slow API",
        )
        limit = manage("config", *words, "--json").shape["controls"]["crm_limits"]["hubspot"]
        assert (limit["value"], limit["reason"]) == (1, "slow API")
        assert limit["expires_at"] is not None
        assert "Limit of hubspot: 1 (set by " in manage("config").out

    def test_the_limit_of_a_crm_is_taken_away(self, pool: WorkerPoolService) -> None:
        manage("config", "--crm", "hubspot", "--max-workers", "1")
        shape = manage("config", "--crm", "hubspot", "--no-limit", "--json").shape
        assert shape["controls"]["crm_limits"] == {}

    @pytest.mark.parametrize(
        "words",
        [
            ("--no-limit",),
            ("--crm", "hubspot", "--no-limit", "--max-workers", "2"),
            ("--expires", "2h"),
            ("--max-workers", "2", "--expires", "2020-01-01"),
            ("--max-workers", "2", "--expires", "soon"),
            ("--crm", "nobody", "--max-workers", "2"),
        ],
    )
    def test_wrong_use_changes_nothing(
        self, pool: WorkerPoolService, words: tuple[str, ...]
    ) -> None:
        assert manage("config", *words).code == 2
        assert not AuditRecord.objects.filter(action="limit").exists()


class TestPauses:
    def test_a_paused_crm_starts_nothing_and_others_go_on(self, pool: WorkerPoolService) -> None:
        assert manage("pause", "--crm", "five9", "--reason", "x").out.startswith("five9 is paused")
        fill(pool, 1)
        pool.submit_task("hubspot", "all")
        assert [task.crm_source for task in pool.get_active_tasks()] == ["hubspot"]
        manage("resume", "--crm", "five9")
        assert len(pool.get_active_tasks()) == 2

    def test_status_shows_who_paused_and_why(self, pool: WorkerPoolService) -> None:
        manage("pause", "--reason", "deployment")
        assert "Paused: the pool (set by " in (out := manage("status").out)
        assert "deployment" in out


class TestDrain:
    def test_an_idle_pool_is_drained_at_once(self, pool: WorkerPoolService) -> None:
        ran = manage("drain", "--wait")
        assert (ran.code, ran.out) == (0, "Nothing runs.\n")
        fill(pool, 1)
        assert pool.get_active_tasks() == []

    def test_it_waits_until_what_runs_has_ended(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (first, _, _) = fill(pool, 3)
        pool.cancel_task(waiting(pool)[0])
        take(pool, first)
        left = [task.id for task in pool.get_active_tasks()]

        def end_one(seconds: float) -> None:
            pool.update_task_status(left.pop(), "completed")

        monkeypatch.setattr(pauses.time, "sleep", end_one)
        ran = manage("drain", "--wait", "--json")
        assert (ran.code, ran.shape["drained"], left) == (0, True, [])
        assert "2 still running: five9.contacts, five9.contacts" in ran.err

    def test_after_its_deadline_it_fails_and_names_what_runs(self, pool: WorkerPoolService) -> None:
        fill(pool, 1)
        ran = manage("drain", "--wait", "--timeout", "0")
        assert (ran.code, "1 still running: five9.contacts" in ran.message) == (1, True)
        assert pool.controls().pause is not None

    def test_somebody_elses_resume_ends_it(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(pool, 1)
        monkeypatch.setattr(pauses.time, "sleep", lambda seconds: pool.resume())
        assert manage("drain", "--wait").code == 4

    def test_a_timeout_needs_wait(self, pool: WorkerPoolService) -> None:
        assert manage("drain", "--timeout", "5").code == 2
        assert pool.controls().pause is None


class TestOrder:
    def test_move_to_front(self, pool: WorkerPoolService) -> None:
        *_, second, last = fill(pool)
        ran = manage("move-to-front", last[:8])
        assert (ran.code, waiting(pool)) == (0, [last, second])
        assert "at the front" in ran.out

    def test_prioritize(self, pool: WorkerPoolService) -> None:
        *_, second, last = fill(pool)
        assert (
            manage("prioritize", last, "--priority", "7", "--json").shape["task"]["priority"] == 7
        )
        assert waiting(pool) == [last, second]

    def test_hold_and_release(self, pool: WorkerPoolService) -> None:
        *_, second, last = fill(pool)
        shape = manage("hold", second, "--reason", "later", "--json").shape
        assert shape["task"]["held_reason"] == "later"
        assert pool.snapshot().queued[0].id == last
        manage("release", second)
        assert waiting(pool) == [second, last]

    def test_several_at_once(self, pool: WorkerPoolService) -> None:
        ids = fill(pool)[2:]
        assert manage("hold", *ids).out == "2 tasks held.\n"
        assert pool.snapshot().held_count == 2

    def test_of_several_the_others_are_done(self, pool: WorkerPoolService) -> None:
        first, *_, last = fill(pool)
        ran = manage("hold", first, last)
        assert (ran.code, ran.out) == (4, "1 task held.\n")
        assert pool.snapshot().held_count == 1

    def test_a_stale_revision_is_a_conflict_that_says_the_present_state(
        self, pool: WorkerPoolService
    ) -> None:
        *_, last = fill(pool)
        seen = manage("explain", last, "--json").shape["task"]["revision"]
        assert manage("prioritize", last, "--priority", "5", "--revision", str(seen)).code == 0
        ran = manage("cancel", last, "--revision", str(seen))
        assert (ran.code, "It is queued now, at revision 2" in ran.message) == (4, True)
        assert last in waiting(pool)

    def test_a_running_task_has_no_place(self, pool: WorkerPoolService) -> None:
        (first,) = fill(pool, 1)
        assert manage("move-to-front", first).code == 4

    def test_a_revision_is_of_one_task(self, pool: WorkerPoolService) -> None:
        assert manage("hold", *fill(pool)[2:], "--revision", "1").code == 2


class TestForecast:
    def test_a_free_slot_means_at_once(self, pool: WorkerPoolService) -> None:
        ran = manage("submit", "hubspot", "all", "--dry-run")
        assert ran.out.startswith("It would start at once: a slot is free.")

    def test_it_stores_nothing(self, pool: WorkerPoolService) -> None:
        manage("submit", "hubspot", "all", "--dry-run")
        assert not SyncHistory.objects.exists()
        assert not AuditRecord.objects.exists()
        assert pool.get_active_tasks() == []

    def test_it_would_wait_at_the_place_of_its_priority(self, pool: WorkerPoolService) -> None:
        fill(pool)
        later = manage("submit", "hubspot", "all", "--dry-run", "--json").shape
        sooner = manage("submit", "hubspot", "all", "--dry-run", "--priority", "9", "--json").shape
        assert (later["position"], sooner["position"]) == (3, 1)
        assert later["reason"]["code"] == "pool_full"

    def test_a_place_deep_in_the_queue_is_found(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.services.waiting.verbs.FIRST_LOOK", 1)
        fill(pool, 5)
        assert pool.forecast(Submission("hubspot", "all")).position == 4

    def test_a_place_far_back_is_counted(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.services.waiting.verbs.FIRST_LOOK", 1)
        fill(pool, 5)
        found = pool.forecast(Submission("hubspot", "all"))
        assert (found.position, found.reason.code) == (4, "pool_full")
        assert pool.forecast(Submission("hubspot", "all", priority=9)).position == 1

    def test_a_task_that_waits_would_coalesces_it(self, pool: WorkerPoolService) -> None:
        *_, last = fill(pool, 3)
        shape = manage(
            "submit", "five9", "contacts", "--dry-run", "--on-overlap", "coalesce", "--json"
        ).shape
        assert (shape["coalesced_into"], shape["position"]) == (last, 1)

    def test_it_would_be_refused(self, pool: WorkerPoolService) -> None:
        (first,) = fill(pool, 1)
        ran = manage("submit", "five9", "contacts", "--dry-run", "--on-overlap", "reject")
        assert (ran.code, first in ran.message) == (4, True)

    def test_what_submit_refuses_it_refuses(self, pool: WorkerPoolService) -> None:
        assert manage("submit", "nobody", "all", "--dry-run").code == 2

    def test_it_says_what_submit_then_does(self, pool: WorkerPoolService) -> None:
        fill(pool, 3)
        words = ("submit", "five9", "contacts", "--on-overlap", "coalesce", "--json")
        told = manage(*words, "--dry-run").shape["coalesced_into"]
        assert manage(*words).shape["coalesced_into"] == told
