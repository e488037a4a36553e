"""Every disagreement that the doctor knows: produced by damage, named, cured, and gone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from redis import Redis

from ingestion.models import AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.keys import PoolKeys
from ingestion.pool.memory_store import MemoryPoolStore
from ingestion.pool.redis_store import RedisPoolStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services import celery_view, doctor_cures
from ingestion.services.doctor import Finding
from ingestion.services.worker_pool import WorkerPoolService, use_worker_pool
from tests.contract.stores import own_keys
from tests.unit.pool_fixtures import CONF, Broker, Clock
from tests.unit.pool_shell import answers, manage, shell

HOLDER = "celery@host"
DONE = Outcome(TaskStatus.COMPLETED)
POLICY = PoolPolicy()


class Body(ABC):
    """A store that can be hurt from outside."""

    @property
    @abstractmethod
    def store(self) -> MemoryPoolStore | RedisPoolStore: ...

    @abstractmethod
    def let_pass(self, seconds: float) -> None: ...

    @abstractmethod
    def set_status(self, task_id: str, status: TaskStatus) -> None: ...

    @abstractmethod
    def lose_slot(self, task_id: str) -> None: ...

    @abstractmethod
    def lose_place(self, task_id: str) -> None: ...

    @abstractmethod
    def forget(self, task_id: str) -> None: ...

    @abstractmethod
    def start_unheard(self, task_id: str) -> None: ...


class MemoryBody(Body):
    def __init__(self) -> None:
        self._clock = Clock()
        self._store = MemoryPoolStore(POLICY, self._clock)

    @property
    def store(self) -> MemoryPoolStore:
        return self._store

    def let_pass(self, seconds: float) -> None:
        self._clock.advance(seconds=seconds)

    def set_status(self, task_id: str, status: TaskStatus) -> None:
        self._store._held[task_id].task.status = status

    def lose_slot(self, task_id: str) -> None:
        for order in (self._store._active, self._store._leases, self._store._unconfirmed):
            order.drop(task_id)

    def lose_place(self, task_id: str) -> None:
        self._store._leave_queue(self._store._held[task_id].task)

    def forget(self, task_id: str) -> None:
        self.lose_slot(task_id)
        self.lose_place(task_id)
        del self._store._held[task_id]

    def start_unheard(self, task_id: str) -> None:
        self._store._held[task_id].task.attempt = 1
        self.set_status(task_id, TaskStatus.RUNNING)


class RedisBody(Body):
    def __init__(self, client: Redis, keys: PoolKeys) -> None:
        self._client, self.keys = client, keys
        self._store = RedisPoolStore(client, keys, POLICY)

    @property
    def store(self) -> RedisPoolStore:
        return self._store

    def let_pass(self, seconds: float) -> None:
        self._store.clock_offset_seconds += seconds

    def set_status(self, task_id: str, status: TaskStatus) -> None:
        self._client.hset(self.keys.task(task_id), "status", status.value)

    def lose_slot(self, task_id: str) -> None:
        for key in (self.keys.active, self.keys.leases, self.keys.unconfirmed):
            self._client.zrem(key, task_id)

    def lose_place(self, task_id: str) -> None:
        for key in (self.keys.queue("genius"), self.keys.waiting, self.keys.delayed):
            self._client.zrem(key, task_id)

    def forget(self, task_id: str) -> None:
        self.lose_slot(task_id)
        self.lose_place(task_id)
        self._client.delete(self.keys.task(task_id))

    def start_unheard(self, task_id: str) -> None:
        self._client.hset(self.keys.task(task_id), "attempt", 1)
        self.set_status(task_id, TaskStatus.RUNNING)


@dataclass
class Patient:
    """A pool with two slots whose store can be hurt."""

    body: Body
    broker: Broker = field(default_factory=Broker)

    def __post_init__(self) -> None:
        self.pool = WorkerPoolService(self.body.store, conf=CONF, send=self.broker)

    def submit(self, count: int = 1) -> list[str]:
        return [self.pool.submit_task("genius", "all") for _ in range(count)]

    def hold(self, *task_ids: str) -> None:
        for task_id in task_ids:
            self.pool.confirm_task(task_id, attempt=1, worker=f"{HOLDER}/7", token="t")

    def held(self) -> str:
        (task_id,) = self.submit()
        self.hold(task_id)
        return task_id

    def waiting(self) -> str:
        """A task that waits behind two that are held."""
        first, second, third = self.submit(3)
        self.hold(first, second)
        return third

    def task(self, task_id: str) -> WorkerTask:
        task = self.body.store.get(task_id)
        assert task is not None
        return task

    def findings(self) -> set[tuple[str, str]]:
        return {(f.code, f.subject) for f in self.pool.examine().findings}

    def heal(self) -> tuple[Finding, ...]:
        return self.pool.heal(self.pool.examine().findings, actor="ann", reason="night shift")


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def patient(
    request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Patient]:
    monkeypatch.setattr(celery_view, "in_hand", lambda: None)
    if request.param == "memory":
        yield Patient(MemoryBody())
        return
    client = Redis.from_url(request.getfixturevalue("redis_server").url(4))
    with own_keys(client) as keys:
        yield Patient(RedisBody(client, keys))
    client.close()


def row_of(task_id: str) -> SyncHistory:
    return SyncHistory.objects.get(worker_pool_task_id=task_id)


def change_row(task_id: str, **values: object) -> None:
    SyncHistory.objects.filter(worker_pool_task_id=task_id).update(**values)


def grow_old(task_id: str) -> None:
    change_row(task_id, created_at=timezone.now() - timedelta(minutes=5))


def workers_hold(monkeypatch: pytest.MonkeyPatch, view: Mapping[str, frozenset[str]]) -> None:
    monkeypatch.setattr(celery_view, "in_hand", lambda: view)


# What is done to the pool, and what the doctor calls that.


def leak_a_slot(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.set_status(task_id, TaskStatus.FAILED)
    change_row(task_id, status="failed")
    return "SLOT_LEAKED", task_id


def lose_a_slot(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.lose_slot(task_id)
    return "SLOT_MISSING", task_id


def lose_a_place(patient: Patient) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.lose_place(task_id)
    return "PLACE_MISSING", task_id


def queue_an_ended_task(patient: Patient) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.set_status(task_id, TaskStatus.CANCELLED)
    change_row(task_id, status="cancelled")
    return "PLACE_WRONG", task_id


def end_unheard(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.store.finish(task_id, attempt=1, outcome=DONE, token="f")
    return "LEDGER_BEHIND", task_id


def go_back_in_time(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, attempt=3)
    return "LEDGER_AHEAD", task_id


def write_a_wrong_status(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, status="queued")
    return "LEDGER_DIFFERS", task_id


def keep_a_wrong_status(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, pool_status="queued")
    return "LEDGER_DIFFERS", task_id


def forget_a_waiting_task(patient: Patient) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.forget(task_id)
    grow_old(task_id)
    return "FORGOTTEN", task_id


def forget_a_held_task(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.forget(task_id)
    grow_old(task_id)
    return "FORGOTTEN", task_id


def close_the_row_of_a_held_task(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, status="failed", error_message="by hand")
    return "CLOSED_IN_LEDGER", task_id


def close_the_row_of_a_waiting_task(patient: Patient) -> tuple[str, str]:
    task_id = patient.waiting()
    change_row(task_id, status="cancelled")
    return "CLOSED_IN_LEDGER", task_id


def delete_the_row_of_a_waiting_task(patient: Patient) -> tuple[str, str]:
    first, second, third = patient.submit(3)
    patient.body.let_pass(70)
    patient.hold(first, second)
    row_of(third).delete()
    return "NO_ROW", third


def lose_a_worker(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.let_pass(120)
    return "LEASE_OUT", task_id


def stand_still(patient: Patient) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.let_pass(31 * 60)
    patient.body.store.heartbeat(task_id, attempt=1)
    return "STALE", task_id


def change_the_limit_behind_the_back(patient: Patient) -> tuple[str, str]:
    patient.pool.set_max_workers(4, actor="ann")
    patient.body.store.set_limit(3, by="nobody")
    return "LIMIT_DIFFERS", "max_workers"


def pause_behind_the_back(patient: Patient) -> tuple[str, str]:
    patient.pool.get_max_workers()
    patient.body.store.pause("genius", by="nobody", reason="")
    return "PAUSE_DIFFERS", "pause:genius"


def leave_a_slot_unused(patient: Patient) -> tuple[str, str]:
    patient.waiting()
    patient.body.store.set_limit(3, by="nobody")
    PoolSetting.objects.update_or_create(name="max_workers", defaults={"value": 3})
    return "QUEUE_IDLE", "queue"


def leave_a_due_task_delayed(patient: Patient) -> tuple[str, str]:
    soon = patient.body.store.snapshot().taken_at + timedelta(seconds=5)
    patient.pool.submit_task("genius", "all", not_before=soon)
    patient.body.let_pass(60)
    return "QUEUE_IDLE", "queue"


def kill_a_shell(patient: Patient) -> tuple[str, str]:
    row = SyncHistory.objects.create(
        crm_source="genius", sync_type="all", start_time=timezone.now() - timedelta(days=2)
    )
    return "RUN_GONE", f"history {row.pk}"


Damage = Callable[[Patient], tuple[str, str]]
DAMAGES: tuple[Damage, ...] = (
    leak_a_slot,
    lose_a_slot,
    lose_a_place,
    queue_an_ended_task,
    end_unheard,
    go_back_in_time,
    write_a_wrong_status,
    keep_a_wrong_status,
    forget_a_waiting_task,
    forget_a_held_task,
    close_the_row_of_a_held_task,
    close_the_row_of_a_waiting_task,
    delete_the_row_of_a_waiting_task,
    lose_a_worker,
    stand_still,
    change_the_limit_behind_the_back,
    pause_behind_the_back,
    leave_a_slot_unused,
    leave_a_due_task_delayed,
    kill_a_shell,
)
EACH = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


class TestEveryFinding:
    @EACH
    def test_is_found_cured_and_gone(self, patient: Patient, damage: Damage) -> None:
        expected = damage(patient)
        assert patient.findings() == {expected}
        (healed,) = patient.heal()
        assert (healed.code, healed.subject) == expected
        assert patient.findings() == set()

    @EACH
    def test_is_cured_by_fix_stuck_if_that_is_safe(self, patient: Patient, damage: Damage) -> None:
        damage(patient)
        unsafe = {f for f in patient.pool.examine().findings if not f.is_safe}
        patient.pool.fix_stuck(actor="ann")
        assert set(patient.pool.examine().findings) == unsafe

    @EACH
    def test_its_cure_is_on_record(self, patient: Patient, damage: Damage) -> None:
        code, subject = damage(patient)
        patient.heal()
        record = AuditRecord.objects.get(action="repair")
        assert (record.actor, record.target) == ("ann", subject)
        assert record.reason.endswith("night shift")
        assert record.before["finding"] == code
        assert record.before.keys() - {"finding"} == record.after.keys() - {"cure"}

    @EACH
    def test_looking_changes_nothing(self, patient: Patient, damage: Damage) -> None:
        damage(patient)
        before = list(SyncHistory.objects.values()), AuditRecord.objects.count()
        counters = patient.body.store.snapshot().counters
        patient.pool.examine()
        assert (list(SyncHistory.objects.values()), AuditRecord.objects.count()) == before
        assert patient.body.store.snapshot().counters == counters

    @EACH
    def test_is_said_in_sentences(self, patient: Patient, damage: Damage) -> None:
        damage(patient)
        (found,) = patient.pool.examine().findings
        assert found.sentence.endswith(".")
        assert not found.cure.endswith(".")

    def test_has_a_cure(self, db: None) -> None:
        produced = {damage(Patient(MemoryBody()))[0] for damage in DAMAGES}
        with_their_own_test = {"NOT_TAKEN", "NOT_IN_HAND", "SET_ASIDE"}
        assert produced | with_their_own_test == set(doctor_cures.CURES)


class TestWhatWaitsOnPurpose:
    def test_a_held_task_of_a_free_pool_is_no_finding(self, patient: Patient) -> None:
        patient.pool.pause()
        task_id = patient.pool.submit_task("genius", "all")
        patient.pool.hold_task(task_id)
        patient.pool.resume()
        assert patient.task(task_id).is_held
        assert patient.findings() == set()

    def test_neither_is_what_a_pause_or_a_limit_keeps_back(self, patient: Patient) -> None:
        patient.pool.pause("genius")
        patient.pool.set_crm_limit("hubspot", 1)
        for crm in ("genius", "hubspot", "hubspot"):
            patient.pool.submit_task(crm, "all")
        assert len(patient.pool.get_queued_tasks()) == 2
        assert patient.findings() == set()


class TestCures:
    def test_a_healthy_pool_has_no_findings(self, patient: Patient) -> None:
        patient.waiting()
        done = patient.submit()[0]
        patient.pool.cancel_task(done)
        assert patient.findings() == set()
        assert patient.heal() == ()
        assert not AuditRecord.objects.filter(action="repair").exists()

    def test_a_freed_slot_is_used_at_once(self, patient: Patient) -> None:
        waiting = patient.waiting()
        holder = patient.pool.get_active_tasks()[0].id
        patient.body.set_status(holder, TaskStatus.FAILED)
        change_row(holder, status="failed")
        patient.heal()
        assert patient.task(waiting).status == "running"

    def test_a_run_without_a_slot_counts_again(self, patient: Patient) -> None:
        waiting = patient.waiting()
        lost = patient.pool.get_active_tasks()[0].id
        patient.body.lose_slot(lost)
        patient.heal()
        assert patient.task(waiting).status == "queued"
        assert patient.pool.renew_lease(lost, attempt=1).status == "running"

    def test_a_task_that_the_state_forgot_runs(self, patient: Patient) -> None:
        _, task_id = forget_a_waiting_task(patient)
        patient.heal()
        patient.pool.set_max_workers(3)
        assert patient.task(task_id).status == "running"

    def test_a_run_that_the_state_forgot_is_closed(self, patient: Patient) -> None:
        _, task_id = forget_a_held_task(patient)
        patient.heal()
        assert row_of(task_id).status == "failed"
        assert "Submit it again" in row_of(task_id).error_message

    def test_a_run_that_the_ledger_closed_is_ended(self, patient: Patient) -> None:
        _, task_id = close_the_row_of_a_held_task(patient)
        patient.heal()
        assert patient.task(task_id).status == "failed"
        assert row_of(task_id).error_message == "by hand"

    def test_a_task_of_an_older_state_is_cancelled(self, patient: Patient) -> None:
        _, task_id = go_back_in_time(patient)
        patient.heal()
        assert (patient.task(task_id).status, row_of(task_id).status) == ("cancelled",) * 2

    def test_a_waiting_task_of_an_older_state_is_cancelled(self, patient: Patient) -> None:
        task_id = patient.waiting()
        change_row(task_id, attempt=3)
        assert patient.findings() == {("LEDGER_AHEAD", task_id)}
        patient.heal()
        assert (patient.task(task_id).status, row_of(task_id).status) == ("cancelled",) * 2
        assert patient.findings() == set()

    def test_a_held_task_without_a_row_is_no_safe_case(self, patient: Patient) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        patient.pool.renew_lease(task_id, attempt=1)
        row_of(task_id).delete()
        (found,) = patient.pool.examine().findings
        assert (found.code, found.is_safe) == ("NO_ROW", False)
        patient.heal()
        assert patient.task(task_id).cancel_requested_at is not None

    def test_a_young_submission_may_have_no_row_yet(self, patient: Patient) -> None:
        row_of(patient.waiting()).delete()
        assert patient.findings() == set()

    def test_a_cure_that_comes_too_late_changes_nothing(self, patient: Patient) -> None:
        task_id = patient.waiting()
        patient.body.lose_place(task_id)
        findings = patient.pool.examine().findings
        patient.body.forget(task_id)
        assert patient.pool.heal(findings) == ()
        assert not AuditRecord.objects.filter(action="repair").exists()

    def test_a_repair_that_nobody_needs_any_more_does_no_harm(self, patient: Patient) -> None:
        _, task_id = lose_a_worker(patient)
        findings = patient.pool.examine().findings
        patient.body.store.heartbeat(task_id, attempt=1)
        patient.pool.heal(findings)
        assert patient.task(task_id).status == "running"


class TestWhatMoves:
    def test_what_only_one_look_shows_is_no_finding(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.lose_slot(task_id)
        looks = [0]
        active = patient.body.store.active

        def put_right_after_the_first() -> tuple[WorkerTask, ...]:
            looks[0] += 1
            if looks[0] == 2:
                patient.body.store.put_right(task_id)
            return active()

        monkeypatch.setattr(patient.body.store, "active", put_right_after_the_first)
        assert patient.findings() == set()
        assert looks == [2]


class TestCelery:
    """What the workers say counts only where it was said."""

    def test_a_task_that_its_worker_does_not_have_is_lost(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, {HOLDER: frozenset({"another.1"})})
        (found,) = patient.pool.examine().findings
        assert (found.code, found.subject, found.is_safe) == ("NOT_IN_HAND", task_id, False)
        patient.heal()
        assert patient.task(task_id).status == "failed"
        assert "no longer had" in row_of(task_id).error_message
        assert patient.findings() == set()

    @pytest.mark.parametrize("view", [{}, {"celery@other": frozenset()}])
    def test_a_worker_that_does_not_answer_may_have_it(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch, view: dict[str, frozenset[str]]
    ) -> None:
        patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, view)
        assert patient.findings() == set()

    def test_a_worker_that_has_it_is_believed(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        workers_hold(monkeypatch, {HOLDER: frozenset({f"{task_id}.1"})})
        assert patient.findings() == set()

    def test_a_renewed_lease_says_more_than_an_answer(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task_id = patient.held()
        patient.body.let_pass(70)
        patient.pool.renew_lease(task_id, attempt=1)
        workers_hold(monkeypatch, {HOLDER: frozenset()})
        assert patient.findings() == set()

    def test_silence_is_said_and_is_no_finding(self, patient: Patient) -> None:
        assert patient.pool.examine().notes == (
            "No Celery worker answered, so what they have in hand is not known.",
        )

    def test_who_is_silent_is_said(self, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
        patient.body.store.worker_seen(HOLDER, capacity=2)
        patient.body.store.worker_seen("celery@other", capacity=2)
        workers_hold(monkeypatch, {HOLDER: frozenset()})
        assert patient.pool.examine().notes == ("These workers did not answer: celery@other.",)

    def test_a_message_that_nobody_took_is_sent_again(self, patient: Patient) -> None:
        (task_id,) = patient.submit()
        patient.body.let_pass(130)
        patient.body.store.worker_seen(HOLDER, capacity=2)
        assert patient.findings() == {("NOT_TAKEN", task_id)}
        patient.heal()
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
            patient = Patient(RedisBody(client, keys))
            client.hset(keys.set_aside, "x-1", '{"reason": "no id", "stored": {"token": "abcd"}}')
            (found,) = patient.pool.examine().findings
            assert (found.code, found.subject, found.is_safe) == ("SET_ASIDE", "x-1", False)
            patient.heal()
            assert patient.findings() == set()
        client.close()
        stored = AuditRecord.objects.get(action="repair").before["stored"]
        assert "no id" in stored
        assert "abcd" not in stored


class TestCommand:
    @pytest.fixture
    def patient(self, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
        monkeypatch.setattr(celery_view, "in_hand", dict)
        found = Patient(MemoryBody())
        with use_worker_pool(found.pool):
            yield found

    def test_exits_0_where_all_agree(self, patient: Patient) -> None:
        ran = manage("doctor")
        assert (ran.code, ran.out) == (0, "Slots, queue, ledger, workers and clocks agree.\n")

    def test_exits_1_and_changes_nothing_without_repair(self, patient: Patient) -> None:
        _, task_id = lose_a_slot(patient)
        ran = manage("doctor")
        assert (ran.code, "doctor --repair" in ran.message) == (1, True)
        assert f"- SLOT_MISSING: Task {task_id[:8]} (genius.all) runs without" in ran.out
        assert "Cure: give it its slot. fix-stuck does this too." in ran.out
        assert patient.findings() == {("SLOT_MISSING", task_id)}

    def test_repair_cures_and_exits_0(self, patient: Patient) -> None:
        lose_a_slot(patient)
        ran = manage("doctor", "--repair", "--reason", "after the outage")
        assert (ran.code, "Done: give it its slot." in ran.out) == (0, True)
        record = AuditRecord.objects.get(action="repair")
        assert record.actor.endswith("(command line)")
        assert record.reason.endswith("after the outage")

    def test_what_is_left_after_a_repair_exits_1(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lose_a_slot(patient)
        monkeypatch.setattr(patient.pool, "heal", lambda findings, **kwargs: ())
        ran = manage("doctor", "--repair")
        assert (ran.code, "1 disagreement left" in ran.message) == (1, True)

    def test_json_tells_all_of_it(self, patient: Patient) -> None:
        code, subject = lose_a_slot(patient)
        shape = shell("doctor", "--repair", "--json").shape
        assert [f["code"] for f in shape["findings"]] == [code]
        assert [f["subject"] for f in shape["healed"]] == [subject]
        assert shape["left"] == []

    def test_an_unreachable_ledger_exits_5(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = answers(OperationalError("the database is away"))
        monkeypatch.setattr("ingestion.services.doctor_facts.collect", gone)
        assert shell("doctor").code == 5

    def test_an_unreachable_pool_exits_5(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = answers(PoolUnavailable("Redis is gone."))
        monkeypatch.setattr(patient.body.store, "active", gone)
        assert shell("doctor").code == 5
