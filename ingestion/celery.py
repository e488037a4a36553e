"""What a Celery app needs to run the pool: the tasks, what beat starts, a consumer that stays."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule

from ingestion.conf import control_queue, pool_conf

AUTOMATION_SECONDS = 300
DESCRIBE_SECONDS = 120


def set_up(app: Celery) -> None:
    """Call it once, in the module that makes a project's Celery app, after ``config_from_object``.

    The schedule is made when the app reads its settings: a project makes its app while they load.
    """
    app.autodiscover_tasks(["ingestion"])
    app.autodiscover_tasks(["ingestion"], related_name="tasks_enhanced")
    # Keeps a worker alive when Redis goes away; see the class.
    app.conf.worker_consumer = "ingestion.services.worker.consumer:SteadyConsumer"
    app.on_after_configure.connect(_add_beat_schedule, weak=False)


def _add_beat_schedule(sender: Celery, **_: Any) -> None:
    entries = beat_schedule(monitor_seconds=pool_conf().monitor_seconds, queue=control_queue())
    sender.conf.beat_schedule = {**entries, **(sender.conf.beat_schedule or {})}


def beat_schedule(*, monitor_seconds: float, queue: str) -> dict[str, dict[str, Any]]:
    """The entries by name, each with its queue and routing key."""
    options = {"queue": queue, "routing_key": queue}
    return {
        "worker-pool-monitor": {
            "task": "ingestion.tasks.worker_pool_monitor",
            "schedule": schedule(monitor_seconds),
            # A round that could not start in time is replaced by the next one. This is the name
            # that django-celery-beat's scheduler reads.
            "options": {**options, "expire_seconds": round(monitor_seconds)},
        },
        "cleanup-stale-syncs-0330utc": {
            "task": "ingestion.tasks.cleanup_stale_syncs",
            "schedule": crontab(hour="3", minute="30"),
            "options": options,
        },
        "automation-reports-0400-1600utc": {
            "task": "ingestion.tasks.generate_automation_reports",
            "schedule": crontab(hour="4,16", minute="0"),
            "options": options,
        },
        "automation-rules": {
            "task": "ingestion.tasks.run_automation_rules",
            "schedule": schedule(AUTOMATION_SECONDS),
            "options": {**options, "expire_seconds": AUTOMATION_SECONDS},
        },
        "describe-datasets": {
            "task": "ingestion.tasks.describe_datasets",
            "schedule": schedule(DESCRIBE_SECONDS),
            "options": {**options, "expire_seconds": DESCRIBE_SECONDS},
        },
    }
