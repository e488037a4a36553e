"""The Celery app and what beat starts."""

import os
from typing import Any

from celery import Celery, signals
from celery.schedules import crontab, schedule
from django.conf import settings
from django.dispatch import receiver
from django_structlog.celery.signals import modify_context_before_task_publish
from django_structlog.celery.steps import DjangoStructLogInitStep

from data_warehouse.logs import speak_on_stdout
from ingestion.conf import pool_conf

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")

AUTOMATION_SECONDS = 300
DESCRIBE_SECONDS = 120

app = Celery("data_warehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["ingestion"])
app.autodiscover_tasks(["ingestion"], related_name="tasks_enhanced")
# Keeps a worker alive when Redis goes away; see the class.
app.conf.worker_consumer = "data_warehouse.consumer:SteadyConsumer"
# Binds the id of a task, and of the request that sent it, to all that is logged while it runs.
app.steps["worker"].add(DjangoStructLogInitStep)


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


@signals.setup_logging.connect
def set_logging_up(**_: Any) -> None:
    """Of workers and beat, in Celery's place: LOG_LEVEL and LOG_FORMAT count, not its own options."""
    speak_on_stdout()


@signals.celeryd_init.connect
def begin_to_speak(instance: Any, **_: Any) -> None:
    """A worker warns before Celery sets its logging up. Its banner is no line of JSON; of beat's
    nobody hears before it is printed."""
    speak_on_stdout()
    instance.quiet |= settings.LOG_FORMAT == "json"


@app.on_after_configure.connect
def set_beat_schedule(sender: Celery, **_: Any) -> None:
    """Settings can be read only now: this module is imported while they load."""
    sender.conf.beat_schedule = beat_schedule(
        monitor_seconds=pool_conf().monitor_seconds, queue=settings.CELERY_CONTROL_QUEUE
    )


@app.on_after_configure.connect
def set_result_backend(sender: Celery, **_: Any) -> None:
    """Celery itself reads CELERY_RESULT_BACKEND from the environment, as it stands there."""
    if "sentinel" in (url := settings.CELERY_RESULT_BACKEND or "").partition("://")[0]:
        sender.backend_cls = url


@receiver(modify_context_before_task_publish)
def pass_request_id_on(context: dict[str, Any], **_: Any) -> None:
    """A task that starts when another ends belongs neither to that one nor to its request."""
    names = () if "parent_task_id" in context else ("request_id",)
    passed_on = {name: context[name] for name in names if name in context}
    context.clear()
    context.update(passed_on)
