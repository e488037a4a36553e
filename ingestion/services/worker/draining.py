"""One worker, and so its host, takes no more syncs, or takes them again; what it runs goes on."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError

from ingestion.pool.change import ChangeRequest
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.services.security import audit

ANSWER_SECONDS = 5.0


class WorkerSilent(Exception):
    """No worker of this name answers."""


def drain(name: str, *, change: ChangeRequest) -> None:
    """Until ``resume`` or its restart. Raises WorkerSilent."""
    _tell("leave_sync_queues", name)
    audit.record("worker_drain", target=name, change=change)


def resume(name: str, *, change: ChangeRequest) -> None:
    """Raises WorkerSilent."""
    _tell("join_sync_queues", name)
    audit.record("worker_resume", target=name, change=change)


def held_by(name: str, snapshot: PoolSnapshot) -> list[WorkerTask]:
    """The tasks that it runs."""
    return [task for task in snapshot.active if (task.worker or "").rsplit("/", 1)[0] == name]


def _tell(verb: str, name: str) -> None:
    try:
        answers = current_app.control.broadcast(
            verb, destination=[name], reply=True, timeout=ANSWER_SECONDS
        )
    except (OperationalError, OSError) as problem:
        raise WorkerSilent("The broker is out of reach, and no worker can be told.") from problem
    said = [answer[name] for answer in answers or () if name in answer]
    if not said:
        raise WorkerSilent(f"No worker {name} answers; 'status --verbose' lists those online.")
    if not any("ok" in answer for answer in said):
        raise WorkerSilent(f"The worker {name} is of a version that cannot be told; restart it.")
