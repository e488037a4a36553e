"""Beat's doors."""

from __future__ import annotations

from celery import shared_task

from ingestion.services.audit import acting
from ingestion.services.stale_syncs import clean_up
from ingestion.services.worker_pool import get_worker_pool


@shared_task(name="ingestion.tasks.worker_pool_monitor", ignore_result=True)
def worker_pool_monitor() -> dict[str, int]:
    """One round of repairs of the pool."""
    with acting("beat (worker-pool-monitor)"):
        return get_worker_pool().run_monitor_round().to_dict()


@shared_task(name="ingestion.tasks.cleanup_stale_syncs", ignore_result=True)
def cleanup_stale_syncs(minutes: float | None = None) -> dict[str, int]:
    """Close the rows of runs that nobody holds any more, thin the history, remove orphans."""
    with acting("beat (cleanup-stale-syncs)"):
        return clean_up(get_worker_pool(), minutes=minutes).to_dict()
