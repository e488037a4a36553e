"""Another process of the system, as a web server would be: calls the pool for a test.

Reads one JSON list ``[verb, args, kwargs]`` a line, answers ``{"ok": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from ingestion.models import AuditRecord, SyncHistory
from ingestion.models.notices import NoticeRound
from ingestion.pool.change import ChangeRequest
from ingestion.pool.task import WorkerTask
from ingestion.services.notices import rounds
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.standard import STANDARD, fields_of
from ingestion.services.tasks import dispatch
from ingestion.services.worker_pool import get_worker_pool


def row(task_id: str) -> dict[str, Any] | None:
    return SyncHistory.objects.filter(worker_pool_task_id=task_id).values().first()


def rows() -> int:
    return SyncHistory.objects.count()


def audited(task_id: str) -> list[str]:
    return list(AuditRecord.objects.filter(target=task_id).values_list("action", flat=True))


def actors(task_id: str) -> dict[str, str]:
    return dict(AuditRecord.objects.filter(target=task_id).values_list("action", "actor"))


def findings() -> dict[str, Any]:
    return get_worker_pool().examine().to_dict()


def why_waiting(task_id: str) -> dict[str, Any]:
    return get_worker_pool().explain(task_id).reason.to_dict()


def send_again(task_id: str) -> None:
    dispatch.send(get_worker_pool().get_task_status(task_id))


def delay(name: str, parameters: dict[str, Any]) -> None:
    current_app.send_task(name, kwargs=parameters)


def take_a_message_and_die() -> int:
    """What a worker leaves behind that is killed before it acknowledges; the exit code."""
    child = os.fork()
    if child == 0:
        with current_app.connection_for_read() as link:
            found = link.default_channel.basic_get(settings.CELERY_TASK_DEFAULT_QUEUE)
            os._exit(0 if found else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def registered() -> list[str]:
    answer = current_app.control.inspect(timeout=5).registered() or {}
    return sorted({name.split()[0] for names in answer.values() for name in names})


def shut_down_workers() -> None:
    current_app.control.shutdown()


def add_operator(name: str, password: str) -> None:
    get_user_model().objects.create_superuser(name, "", password)


def add_schedule(fields: dict[str, Any]) -> int:
    return int(schedules.create(fields, change=ChangeRequest(by="tests")).pk)


def schedule(schedule_id: int) -> dict[str, Any]:
    return schedules.to_dict(schedules.get(schedule_id))


def switch_off(schedule_id: int) -> None:
    schedules.set_enabled(schedule_id, False, change=ChangeRequest(by="tests"))


def delete_schedule(schedule_id: int) -> None:
    schedules.delete(schedule_id, change=ChangeRequest(by="tests"))


def load_crowd(every_seconds: int) -> None:
    """The standard set, each so often."""
    for fields in fields_of(STANDARD, execution="pool", every_minutes=1):
        schedules.create({**fields, "every": every_seconds, "period": "seconds"})


def look_for_troubles() -> int:
    """Now, whoever looked before; how many began or ended."""
    NoticeRound.objects.update(looked_at=None)
    done = rounds.look(get_worker_pool())
    return done.began + done.ended


def all_rows() -> list[dict[str, Any]]:
    names = ("crm_source", "sync_type", "status", "start_time", "end_time")
    rows = SyncHistory.objects.values(*names)
    return [{name: _plain_moment(value) for name, value in row.items()} for row in rows]


def _plain_moment(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def past_runs(crm_source: str, sync_type: str, number: int, seconds: float) -> None:
    """Runs that ended well, each after so long."""
    end = timezone.now()
    SyncHistory.objects.bulk_create(
        SyncHistory(
            crm_source=crm_source,
            sync_type=sync_type,
            status=SyncHistory.Status.SUCCESS,
            start_time=end - timedelta(seconds=seconds),
            end_time=end,
        )
        for _ in range(number)
    )


def raise_limit_and_start_nothing(number: int) -> None:
    """As if whoever raised it had died before the next step."""
    get_worker_pool().store.set_limit(number, change=ChangeRequest(by="tests"))


def submit_and_roll_back() -> str:
    with transaction.atomic():
        task_id = get_worker_pool().submit_task("five9", "contacts")
        transaction.set_rollback(True)
    return task_id


OWN = {
    f.__name__: f
    for f in (
        row,
        rows,
        audited,
        actors,
        findings,
        why_waiting,
        send_again,
        delay,
        take_a_message_and_die,
        registered,
        shut_down_workers,
        submit_and_roll_back,
        add_operator,
        add_schedule,
        load_crowd,
        all_rows,
        schedule,
        switch_off,
        look_for_troubles,
        delete_schedule,
        past_runs,
        raise_limit_and_start_nothing,
    )
}


def plain(value: Any) -> Any:
    if isinstance(value, WorkerTask):
        return value.to_dict()
    return [plain(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    for line in sys.stdin:
        verb, args, kwargs = json.loads(line)
        if "change" in kwargs:
            kwargs["change"] = ChangeRequest(**kwargs["change"])
        try:
            call = OWN.get(verb) or getattr(get_worker_pool(), verb)
            answer = {"ok": plain(call(*args, **kwargs))}
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        connection.close()
        print(json.dumps(answer, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
