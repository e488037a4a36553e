"""Beat's entry points.

Every command and every web process loads this module, and a worker alone runs it: what only a task
needs is imported when it runs.
"""

from __future__ import annotations

from celery import shared_task

from ingestion.services.security.audit import acting
from ingestion.services.worker_pool import get_worker_pool

# Less than between two of beat's; the rest waits for the next one.
DESCRIBE_SECONDS = 60.0


@shared_task(name="ingestion.tasks.worker_pool_monitor", ignore_result=True)
def worker_pool_monitor() -> dict[str, int]:
    """One round of repairs of the pool."""
    from ingestion.services.notices import rounds

    with acting("beat (worker-pool-monitor)"):
        pool = get_worker_pool()
        done = pool.run_monitor_round().to_dict()
        rounds.look(pool)
        rounds.ping()
        return done


@shared_task(name="ingestion.tasks.look_for_troubles", ignore_result=True)
def look_for_troubles() -> None:
    """What a worker asks for now and then, in case that beat has died."""
    from ingestion.services.notices import rounds

    with acting("worker (look-for-troubles)"):
        rounds.look(get_worker_pool())


@shared_task(name="ingestion.tasks.cleanup_stale_syncs", ignore_result=True)
def cleanup_stale_syncs(minutes: float | None = None) -> dict[str, int]:
    """Close the rows of runs that nobody holds any more, thin the history, remove orphans."""
    from ingestion.services.maintenance.stale_syncs import clean_up

    with acting("beat (cleanup-stale-syncs)"):
        return clean_up(get_worker_pool(), minutes=minutes).to_dict()


@shared_task(name="ingestion.tasks.describe_datasets", ignore_result=True)
def describe_datasets() -> int:
    """Count what was loaded since it was counted; how many tables that were."""
    from ingestion.services.data import profiles

    with acting("beat (describe-datasets)"):
        return len(profiles.refresh(seconds=DESCRIBE_SECONDS))
