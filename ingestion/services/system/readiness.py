"""Whether the parts of the running system answer."""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django_celery_beat.models import PeriodicTask

from ingestion.services.infra.database import DATABASE_ERRORS

ANSWER_SECONDS = 5.0


def web_answer(url: str) -> dict[str, Any] | None:
    """What ``/health/ready`` says, whether ready or not; None when nobody answers."""
    where = urlsplit(url)
    link = http.client.HTTPConnection(
        where.hostname or "", where.port or 80, timeout=ANSWER_SECONDS
    )
    try:
        link.request("GET", "/health/ready")
        answer: dict[str, Any] = json.loads(link.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    else:
        return answer
    finally:
        link.close()


def missing_parts(answer: dict[str, Any] | None) -> list[str]:
    """What keeps the system from being ready, in words; empty when it is."""
    if answer is None:
        return ["web: no answer"]
    if answer.get("ready"):
        return []
    parts = answer.get("parts", {})
    return [f"{name}: {part['why']}" for name, part in parts.items() if not part["ok"]] or [
        "web: not ready"
    ]


def beat_has_set_up(since: datetime) -> bool:
    """Beat writes its schedule into the ledger when it starts; it gives no other sign."""
    try:
        return bool(PeriodicTask.objects.filter(date_changed__gte=since).exists())
    except DATABASE_ERRORS:
        return False
