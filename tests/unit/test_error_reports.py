"""What Sentry gets: exceptions of requests and tasks, and errors of the logs, without secrets."""

from __future__ import annotations

import json
from typing import Any

from tests.fresh_process import printed

TOKEN = "pat-na1-0123456789abcdef"
# In a process of its own: Sentry changes classes of Django and Celery for good.
PROGRAM = """
import json, logging, sys
import django
django.setup()
from sentry_sdk.transport import Transport
from ingestion.conf import telemetry_conf
from ingestion.services.telemetry import error_reports

events = []
class Memory(Transport):
    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.type == "event")

error_reports.connect(telemetry_conf(), transport=Memory)

from celery import current_app
from django.test import Client
logging.getLogger("ingestion.tests").error("hubspot said no to %s", "TOKEN")

@current_app.task(name="tests.fails")
def fails(password):
    raise RuntimeError("no entry with password=" + password)

fails.apply(kwargs={"password": "hunter2-hunter2"})

from django.urls import path
import data_warehouse.urls as urls
def breaks(request):
    secret_local = "TOKEN"
    raise ValueError("Bearer TOKEN was refused")
urls.urlpatterns.append(path("breaks", breaks))
Client(raise_request_exception=False, headers={"Authorization": "Bearer TOKEN", "Host": "localhost"}).post(
    "/breaks?token=TOKEN", {"name": "Robin"}
)
print(json.dumps(events))
""".replace("TOKEN", TOKEN)


def events() -> list[dict[str, Any]]:
    told = printed(PROGRAM, SENTRY_DSN="https://key@sentry.invalid/1", HUBSPOT_ACCESS_TOKEN=TOKEN)
    found: list[dict[str, Any]] = json.loads(told)
    return found


def test_errors_come_without_secrets() -> None:
    found = events()

    text = json.dumps(found)
    assert "hubspot said no to" in text
    raised = {
        one["value"]: one["type"]
        for event in found
        for one in event.get("exception", {}).get("values", [])
    }
    assert raised["no entry with password=***"] == "RuntimeError"
    assert "ValueError" in raised.values()
    for secret in (TOKEN, "hunter2-hunter2", "Robin", "secret_local"):
        assert secret not in text, secret
    assert {event["environment"] for event in found} == {"development"}
