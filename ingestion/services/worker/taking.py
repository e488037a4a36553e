"""From which queues a worker takes syncs, and how it is told from afar to stop and to begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.worker.control import control_command

from ingestion.conf import queue_of
from ingestion.services.requests.sync_queues import sync_queues

if TYPE_CHECKING:
    from celery.worker.consumer import Consumer

SYNCS = "ingestion.tasks.sync_"

# The queues that this process has left; a restart forgets them.
_left: set[str] = set()


def syncs_taken(consumer: Consumer) -> list[str]:
    """The syncs that it knows and that come by a queue from which it takes."""
    queues = _taken_from(consumer)
    return [
        name for name in consumer.app.tasks if name.startswith(SYNCS) and queue_of(name) in queues
    ]


@control_command(name="leave_sync_queues")
def leave(state: Any) -> dict[str, str]:
    """Take no more syncs; what runs goes on."""
    queues = _taken_from(state.consumer) & sync_queues().keys()
    _left.update(queues)
    for queue in queues:
        state.consumer.call_soon(state.consumer.cancel_task_queue, queue)
    return {"ok": f"left {', '.join(sorted(queues)) or 'nothing'}"}


@control_command(name="join_sync_queues")
def join(state: Any) -> dict[str, str]:
    """Take syncs from the same queues as before."""
    queues = sorted(_left)
    _left.clear()
    for queue in queues:
        state.consumer.call_soon(state.consumer.add_task_queue, queue)
    return {"ok": f"joined {', '.join(queues) or 'nothing'}"}


def _taken_from(consumer: Any) -> set[str]:
    return {queue.name for queue in consumer.task_consumer.queues}
