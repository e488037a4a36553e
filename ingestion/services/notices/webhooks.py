"""The end of every run, for programs: signed webhooks, and the signal ``run_ended``.

A request has the JSON body ``{"schema", "event", "run"}`` and the headers ``X-Warehouse-Timestamp``
(seconds since 1970), ``X-Warehouse-Delivery`` (the same in every attempt) and
``X-Warehouse-Signature``: ``v1=`` and the hexadecimal HMAC-SHA256, by ``TASK_WEBHOOK_SECRET``, of the
timestamp, a full stop, and the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ingestion.conf import notice_conf
from ingestion.models import SyncHistory
from ingestion.models.notices import Delivery
from ingestion.services.notices.deliveries import MOST_AT_ONCE, deliver
from ingestion.services.reporting import history
from ingestion.signals import run_ended

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
LOOKED_BACK = timedelta(hours=1)
SIGNAL = "signal"


def tell_of_ended_runs(*, now: datetime | None = None) -> None:
    """Make a message of every run that has ended, once, and send what is due. Costs nothing where
    nobody listens. Raises DatabaseError."""
    names = _listeners()
    if not names:
        return
    moment = now or timezone.now()
    ended = SyncHistory.objects.filter(end_time__gte=moment - LOOKED_BACK)
    for name in names:
        for row in ended.exclude(deliveries__channel=name).order_by("end_time")[:MOST_AT_ONCE]:
            _make(name, row, moment)
    due = Delivery.objects.filter(
        state=Delivery.State.WAITING, next_at__lte=moment, run__isnull=False
    ).order_by("next_at", "pk")
    for found in due[:MOST_AT_ONCE]:
        deliver(found, _post, now=moment)


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    """As the header has it."""
    signed = f"{timestamp}.".encode() + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _listeners() -> list[str]:
    """``webhook 1`` …, and the signal if anybody listens to it."""
    hooks = [f"webhook {n}" for n, _ in enumerate(notice_conf().webhook_urls, start=1)]
    return [*hooks, SIGNAL] if run_ended.has_listeners() else hooks


def _make(name: str, row: SyncHistory, now: datetime) -> None:
    made = Delivery(
        channel=name,
        run=row,
        title=f"{row.crm_source}.{row.sync_type} {row.status}"[:200],
        made_at=now,
        next_at=now,
    )
    if name == SIGNAL:
        made.state, made.sent_at = Delivery.State.SENT, now
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:
        return  # another process was first
    if name == SIGNAL:
        for receiver, answer in run_ended.send_robust(SyncHistory, run=row):
            if isinstance(answer, Exception):
                logger.error("a receiver of run_ended failed: %r", receiver, exc_info=answer)


def _post(found: Delivery) -> str:
    conf = notice_conf()
    number = int(found.channel.rpartition(" ")[2])
    if number > len(conf.webhook_urls) or found.run is None:
        return "TASK_WEBHOOK_URLS has no such address any more."
    body = json.dumps(_content(found.run)).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Warehouse-Delivery": str(found.pk),
        "X-Warehouse-Timestamp": timestamp,
    }
    if conf.webhook_secret:
        signed = signature(conf.webhook_secret, timestamp=timestamp, body=body)
        headers["X-Warehouse-Signature"] = signed
    # Every command would load it, and few rounds send anything.
    import requests

    try:
        answer = requests.post(
            conf.webhook_urls[number - 1],
            data=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as problem:
        # Its text has the address, which may hold a secret.
        return f"The request failed ({type(problem).__name__})."
    return "" if answer.ok else f"The answer was {answer.status_code}."


def _content(row: SyncHistory) -> dict[str, Any]:
    return {"schema": 1, "event": "run_ended", "run": history.result(row)}
