"""Another process of the system, as a web server would be: calls the pool for a test.

Reads one JSON list ``[verb, args, kwargs]`` a line, answers ``{"ok": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from celery import current_app  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from ingestion.models import AuditRecord, SyncHistory  # noqa: E402
from ingestion.pool.task import WorkerTask  # noqa: E402
from ingestion.services import dispatch  # noqa: E402
from ingestion.services.worker_pool import get_worker_pool  # noqa: E402


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


def send_again(task_id: str) -> None:
    dispatch.send(get_worker_pool().get_task_status(task_id))


def delay(name: str, parameters: dict[str, Any]) -> None:
    current_app.send_task(name, kwargs=parameters)


def registered() -> list[str]:
    answer = current_app.control.inspect(timeout=5).registered() or {}
    return sorted({name.split()[0] for names in answer.values() for name in names})


def shut_down_workers() -> None:
    current_app.control.shutdown()


def add_operator(name: str, password: str) -> None:
    get_user_model().objects.create_superuser(name, "", password)


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
        send_again,
        delay,
        registered,
        shut_down_workers,
        submit_and_roll_back,
        add_operator,
    )
}


def plain(value: Any) -> Any:
    if isinstance(value, WorkerTask):
        return value.to_dict()
    return [plain(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    for line in sys.stdin:
        verb, args, kwargs = json.loads(line)
        try:
            call = OWN.get(verb) or getattr(get_worker_pool(), verb)
            answer = {"ok": plain(call(*args, **kwargs))}
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        connection.close()
        print(json.dumps(answer, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
