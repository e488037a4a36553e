"""What the doctor leaves alone, what its repairs do, what workers say, and its command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError
from redis import Redis

from ingestion.models import AuditRecord
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.runs import celery_view
from ingestion.services.worker_pool import use_worker_pool
from tests.contract.stores import own_keys
from tests.unit.doctor_damages import (
    close_the_row_of_a_held_task,
    forget_a_held_task,
    forget_a_waiting_task,
    go_back_in_time,
    lose_a_slot,
    lose_a_worker,
)
from tests.unit.doctor_fixture import (
    HOLDER,
    DoctorFixture,
    MemoryBody,
    RedisBody,
    change_row,
    workers_hold,
)
from tests.unit.pool_fixtures import row_of
from tests.unit.pool_shell import answers, manage, shell

DONE = Outcome(TaskStatus.COMPLETED)


class TestWhatWaitsOnPurpose:
    def test_a_held_task_of_a_free_pool_is_no_finding(self, patient: DoctorFixture) -> None:
        patient.pool.pause()
        task_id = patient.pool.submit_task("genius", "all")
        patient.pool.hold_task(task_id)
        patient.pool.resume()
        assert patient.task(task_id).is_held
        assert patient.findings() == set()

    def test_neither_is_what_a_pause_or_a_limit_keeps_back(self, patient: DoctorFixture) -> None:
        patient.pool.pause("genius")
        patient.pool.set_crm_limit("hubspot", 1)
        for crm in ("genius", "hubspot", "hubspot"):
            patient.pool.submit_task(crm, "all")
        assert len(patient.pool.get_queued_tasks()) == 2
        assert patient.findings() == set()


class TestCures:
    def test_a_healthy_pool_has_no_findings(self, patient: DoctorFixture) -> None:
        patient.waiting()
        done = patient.submit()[0]
        patient.pool.cancel_task(done)
        assert patient.findings() == set()
        assert patient.repair() == ()
        assert not AuditRecord.objects.filter(action="repair").exists()

    def test_a_freed_slot_is_used_at_once(self, patient: DoctorFixture) -> None:
        waiting = patient.waiting()
        holder = patient.pool.get_active_tasks()[0].id
        patient.body.set_status(holder, TaskStatus.FAILED)
        change_row(holder, status="failed")
        patient.repair()
        assert patient.task(waiting).status == "running"

    def test_a_run_without_a_slot_counts_again(self, patient: DoctorFixture) -> None:
        waiting = patient.waiting()
        lost = patient.pool.get_active_tasks()[0].id
        patient.body.lose_slot(lost)
        patient.repair()
        assert patient.task(waiting).status == "queued"
        assert patient.pool.renew_lease(lost, attempt=1).status == "running"

    def test_a_task_that_the_state_forgot_runs(self, patient: DoctorFixture) -> None:
        _, task_id = forget_a_waiting_task(patient)
        patient.repair()
        patient.pool.set_max_workers(3)
        assert patient.task(task_id).status == "running"

    def test_a_run_that_the_state_forgot_is_closed(self, patient: DoctorFixture) -> None:
        _, task_id = forget_a_held_task(patient)
        patient.repair()
        assert row_of(task_id).status == "failed"
        assert "Submit it again" in row_of(task_id).error_message

    def test_a_run_that_the_ledger_closed_is_ended(self, patient: DoctorFixture) -> None:
        _, task_id = close_the_row_of_a_held_task(patient)
        patient.repair()
        assert patient.task(task_id).status == "failed"
        assert row_of(task_id).error_message == "by hand"

    def test_a_task_of_an_older_state_is_cancelled(self, patient: DoctorFixture) -> None:
        _, task_id = go_back_in_time(patient)
        patient.repair()
        assert (patient.task(task_id).status, row_of(task_id).status) == ("cancelled",) * 2

    def test_a_waiting_task_of_an_older_state_is_cancelled(self, patient: DoctorFixture) -> None:
        task_id = patient.waiting()
        change_row(task_id, attempt=3)
        assert patient.findings() == {("LEDGER_AHEAD", task_id)}
        patient.repair()
        assert (patient.task(task_id).status, row_of(task_id).status) == ("cancelled",) * 2
        assert patient.findings() == set()

    def test_a_held_task_without_a_row_is_no_safe_case(self, patient: DoctorFixture) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        patient.pool.renew_lease(task_id, attempt=1)
        row_of(task_id).delete()
        (found,) = patient.pool.examine().findings
        assert (found.code, found.is_safe) == ("NO_ROW", False)
        patient.repair()
        assert patient.task(task_id).cancel_requested_at is not None

    def test_a_young_submission_may_have_no_row_yet(self, patient: DoctorFixture) -> None:
        row_of(patient.waiting()).delete()
        assert patient.findings() == set()

    def test_a_cure_that_comes_too_late_changes_nothing(self, patient: DoctorFixture) -> None:
        task_id = patient.waiting()
        patient.body.lose_place(task_id)
        findings = patient.pool.examine().findings
        patient.body.forget(task_id)
        assert patient.pool.repair(findings) == ()
        assert not AuditRecord.objects.filter(action="repair").exists()

    def test_a_repair_that_nobody_needs_any_more_does_no_harm(self, patient: DoctorFixture) -> None:
        _, task_id = lose_a_worker(patient)
        findings = patient.pool.examine().findings
        patient.body.store.heartbeat(task_id, attempt=1)
        patient.pool.repair(findings)
        assert patient.task(task_id).status == "running"


class TestWhatMoves:
    def test_what_only_one_look_shows_is_no_finding(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.lose_slot(task_id)
        looks = [0]
        active = patient.body.store.active

        def put_right_after_the_first() -> tuple[WorkerTask, ...]:
            looks[0] += 1
            if looks[0] == 2:
                patient.body.store.repair(task_id)
            return active()

        monkeypatch.setattr(patient.body.store, "active", put_right_after_the_first)
        assert patient.findings() == set()
        assert looks == [2]


class TestCelery:
    """What the workers say counts only where it was said."""

    def test_a_task_that_its_worker_does_not_have_is_lost(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, {HOLDER: frozenset({"another.1"})})
        (found,) = patient.pool.examine().findings
        assert (found.code, found.subject, found.is_safe) == ("NOT_IN_HAND", task_id, False)
        patient.repair()
        assert patient.task(task_id).status == "failed"
        assert "no longer had" in row_of(task_id).error_message
        assert patient.findings() == set()

    @pytest.mark.parametrize("view", [{}, {"celery@other": frozenset()}])
    def test_a_worker_that_does_not_answer_may_have_it(
        self,
        patient: DoctorFixture,
        monkeypatch: pytest.MonkeyPatch,
        view: dict[str, frozenset[str]],
    ) -> None:
        patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, view)
        assert patient.findings() == set()

    def test_a_worker_that_has_it_is_believed(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, {HOLDER: frozenset({f"{task_id}.1"})})
        assert patient.findings() == set()

    def test_a_renewed_lease_says_more_than_an_answer(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        patient.pool.renew_lease(task_id, attempt=1)
        workers_hold(monkeypatch, {HOLDER: frozenset()})
        assert patient.findings() == set()

    def test_silence_is_said_and_is_no_finding(self, patient: DoctorFixture) -> None:
        assert patient.pool.examine().notes == (
            "No Celery worker answered, so what they have in hand is not known.",
        )

    def test_who_is_silent_is_said(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patient.body.store.worker_seen(HOLDER, capacity=2)
        patient.body.store.worker_seen("celery@other", capacity=2)
        workers_hold(monkeypatch, {HOLDER: frozenset()})
        assert patient.pool.examine().notes == ("These workers did not answer: celery@other.",)

    def test_a_message_that_nobody_took_is_sent_again(self, patient: DoctorFixture) -> None:
        (task_id,) = patient.submit()
        patient.body.let_pass(130)
        patient.body.store.worker_seen(HOLDER, capacity=2)
        assert patient.findings() == {("NOT_TAKEN", task_id)}
        patient.repair()
        assert patient.broker.sent == [(task_id, 1)] * 2
        patient.hold(task_id)
        assert patient.findings() == set()


class TestSetAside:
    @pytest.mark.redis
    def test_is_kept_in_the_audit_and_forgotten(
        self, db: None, redis_server: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(celery_view, "in_hand", lambda: None)
        client = Redis.from_url(redis_server.url(4))  # type: ignore[attr-defined]
        with own_keys(client) as keys:
            patient = DoctorFixture(RedisBody(client, keys))
            client.hset(
                keys.dead_letters, "x-1", '{"reason": "no id", "stored": {"token": "abcd"}}'
            )
            (found,) = patient.pool.examine().findings
            assert (found.code, found.subject, found.is_safe) == ("SET_ASIDE", "x-1", False)
            patient.repair()
            assert patient.findings() == set()
        client.close()
        stored = AuditRecord.objects.get(action="repair").before["stored"]
        assert "no id" in stored
        assert "abcd" not in stored


class TestCommand:
    @pytest.fixture
    def patient(self, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoctorFixture]:
        monkeypatch.setattr(celery_view, "in_hand", dict)
        found = DoctorFixture(MemoryBody())
        with use_worker_pool(found.pool):
            yield found

    def test_exits_0_where_all_agree(self, patient: DoctorFixture) -> None:
        ran = manage("doctor")
        assert (ran.code, ran.out) == (0, "Slots, queue, ledger, workers and clocks agree.\n")

    def test_exits_1_and_changes_nothing_without_repair(self, patient: DoctorFixture) -> None:
        _, task_id = lose_a_slot(patient)
        ran = manage("doctor")
        assert (ran.code, "doctor --repair" in ran.message) == (1, True)
        assert f"- SLOT_MISSING: Task {task_id[:8]} (genius.all) runs without" in ran.out
        assert "Repair: give it its slot. fix-stuck does this too." in ran.out
        assert patient.findings() == {("SLOT_MISSING", task_id)}

    def test_repair_cures_and_exits_0(self, patient: DoctorFixture) -> None:
        lose_a_slot(patient)
        ran = manage("doctor", "--repair", "--reason", "after the outage")
        assert (ran.code, "Done: give it its slot." in ran.out) == (0, True)
        record = AuditRecord.objects.get(action="repair")
        assert record.actor.endswith("(command line)")
        assert record.reason.endswith("after the outage")

    def test_what_is_left_after_a_repair_exits_1(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lose_a_slot(patient)
        monkeypatch.setattr(patient.pool, "repair", lambda findings, **kwargs: ())
        ran = manage("doctor", "--repair")
        assert (ran.code, "1 disagreement left" in ran.message) == (1, True)

    def test_json_tells_all_of_it(self, patient: DoctorFixture) -> None:
        code, subject = lose_a_slot(patient)
        shape = shell("doctor", "--repair", "--json").shape
        assert [f["code"] for f in shape["findings"]] == [code]
        assert [f["subject"] for f in shape["repaired"]] == [subject]
        assert shape["left"] == []

    def test_an_unreachable_ledger_exits_5(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = answers(OperationalError("the database is away"))
        monkeypatch.setattr("ingestion.services.doctor.facts.collect", gone)
        assert shell("doctor").code == 5

    def test_an_unreachable_pool_exits_5(
        self, patient: DoctorFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = answers(PoolUnavailable("Redis is gone."))
        monkeypatch.setattr(patient.body.store, "active", gone)
        assert shell("doctor").code == 5
