"""Damage to a pool; each function does some and tells the code and subject of the finding it must give."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from ingestion.models import PoolSetting, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from tests.unit.doctor_fixture import (
    DoctorFixture,
    change_row,
    grow_old,
)
from tests.unit.pool_fixtures import row_of

DONE = Outcome(TaskStatus.COMPLETED)


def leak_a_slot(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.set_status(task_id, TaskStatus.FAILED)
    change_row(task_id, status="failed")
    return "SLOT_LEAKED", task_id


def lose_a_slot(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.lose_slot(task_id)
    return "SLOT_MISSING", task_id


def lose_a_place(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.lose_place(task_id)
    return "PLACE_MISSING", task_id


def queue_an_ended_task(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.set_status(task_id, TaskStatus.CANCELLED)
    change_row(task_id, status="cancelled")
    return "PLACE_WRONG", task_id


def end_unheard(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.store.finish(task_id, attempt=1, outcome=DONE, token="f")
    return "LEDGER_BEHIND", task_id


def go_back_in_time(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, attempt=3)
    return "LEDGER_AHEAD", task_id


def write_a_wrong_status(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, status="queued")
    return "LEDGER_DIFFERS", task_id


def keep_a_wrong_status(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, pool_status="queued")
    return "LEDGER_DIFFERS", task_id


def forget_a_waiting_task(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.waiting()
    patient.body.forget(task_id)
    grow_old(task_id)
    return "FORGOTTEN", task_id


def forget_a_held_task(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.forget(task_id)
    grow_old(task_id)
    return "FORGOTTEN", task_id


def close_the_row_of_a_held_task(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    change_row(task_id, status="failed", error_message="by hand")
    return "CLOSED_IN_LEDGER", task_id


def close_the_row_of_a_waiting_task(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.waiting()
    change_row(task_id, status="cancelled")
    return "CLOSED_IN_LEDGER", task_id


def delete_the_row_of_a_waiting_task(patient: DoctorFixture) -> tuple[str, str]:
    first, second, third = patient.submit(3)
    patient.body.let_pass(70)
    patient.hold(first, second)
    row_of(third).delete()
    return "NO_ROW", third


def lose_a_worker(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.let_pass(120)
    return "LEASE_OUT", task_id


def stand_still(patient: DoctorFixture) -> tuple[str, str]:
    task_id = patient.held()
    patient.body.let_pass(31 * 60)
    patient.body.store.heartbeat(task_id, attempt=1)
    return "STALE", task_id


def change_the_limit_behind_the_back(patient: DoctorFixture) -> tuple[str, str]:
    patient.pool.set_max_workers(4, change=ChangeRequest(by="ann"))
    patient.body.store.set_limit(3, change=ChangeRequest(by="nobody"))
    return "LIMIT_DIFFERS", "max_workers"


def pause_behind_the_back(patient: DoctorFixture) -> tuple[str, str]:
    patient.pool.get_max_workers()
    patient.body.store.pause("genius", change=ChangeRequest(by="nobody"))
    return "PAUSE_DIFFERS", "pause:genius"


def set_the_order_behind_the_back(patient: DoctorFixture) -> tuple[str, str]:
    patient.pool.set_priority_aging(60, change=ChangeRequest("ann"))
    PoolSetting.objects.filter(name="priority_aging_seconds").update(value=0, revision=9)
    return "ORDER_DIFFERS", "order"


def leave_a_slot_unused(patient: DoctorFixture) -> tuple[str, str]:
    patient.waiting()
    patient.body.store.set_limit(3, change=ChangeRequest(by="nobody"))
    PoolSetting.objects.update_or_create(name="max_workers", defaults={"value": 3})
    return "QUEUE_IDLE", "queue"


def leave_a_due_task_delayed(patient: DoctorFixture) -> tuple[str, str]:
    soon = patient.body.store.snapshot().taken_at + timedelta(seconds=5)
    patient.pool.submit_task("genius", "all", not_before=soon)
    patient.body.let_pass(60)
    return "QUEUE_IDLE", "queue"


def kill_a_shell(patient: DoctorFixture) -> tuple[str, str]:
    row = SyncHistory.objects.create(
        crm_source="genius", sync_type="all", start_time=timezone.now() - timedelta(days=2)
    )
    return "RUN_GONE", f"history {row.pk}"


Damage = Callable[[DoctorFixture], tuple[str, str]]
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
    set_the_order_behind_the_back,
    leave_a_slot_unused,
    leave_a_due_task_delayed,
    kill_a_shell,
)
