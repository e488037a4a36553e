"""Which Celery queue each sync is sent to, and the queues that no worker takes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ingestion.conf import queue_of
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.requests.routing import routes, task_name


def sync_queues() -> Mapping[str, list[str]]:
    """The syncs of each queue, by their Celery names."""
    found: dict[str, list[str]] = defaultdict(list)
    for route in routes():
        found[queue_of(task_name(*route))].append(task_name(*route))
    return dict(found)


def unread_queues(snapshot: PoolSnapshot) -> frozenset[str]:
    """Those that no worker online takes from: one that does announces the syncs that come there.
    None while no worker is online: then that is why nothing starts."""
    return frozenset(
        queue
        for queue, names in sync_queues().items()
        if not any(snapshot.knows(name) for name in names)
    )
