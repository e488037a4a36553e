"""The Celery app and what beat starts."""

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.dispatch import receiver
from django_structlog.celery.signals import modify_context_before_task_publish
from django_structlog.celery.steps import DjangoStructLogInitStep

from data_warehouse.logs import speak_on_stdout
from ingestion.celery import set_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")

app = Celery("data_warehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
set_up(app)
# Binds the id of a task, and of the request that sent it, to all that is logged while it runs.
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def set_logging_up(**_: Any) -> None:
    """Of workers and beat, in Celery's place: LOG_LEVEL and LOG_FORMAT count, not its own options."""
    speak_on_stdout()


@signals.celeryd_init.connect
def begin_to_speak(instance: Any, **_: Any) -> None:
    """A worker warns before Celery sets its logging up. Its banner is no line of JSON; of beat's
    nobody hears before it is printed."""
    speak_on_stdout()
    instance.quiet |= settings.INGESTION_LOG_FORMAT == "json"


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
