"""One look at everything: which troubles began, which are over, who is to be told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone

from ingestion.conf import notice_conf
from ingestion.models.notices import NoticeRound, Trouble
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.infra.database import DATABASE_ERRORS, close_connections
from ingestion.services.infra.throttle import Overdue
from ingestion.services.notices import deliveries, troubles, webhooks
from ingestion.services.notices.troubles import Found
from ingestion.services.worker_pool import get_worker_pool
from ingestion.signals import trouble_began, trouble_ended

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

logger = logging.getLogger(__name__)

THE_ONE = 1
# Whoever comes earlier finds that somebody has just looked.
LOOK_SECONDS = 20.0
PING_TIMEOUT_SECONDS = 5.0

_overdue = Overdue(2 * LOOK_SECONDS)
# A process that has just begun has enough to do.
_overdue.take()


@dataclass(frozen=True)
class Round:
    """How many troubles began and ended, and how many messages were taken."""

    began: int = 0
    ended: int = 0
    sent: int = 0


def look(pool: WorkerPoolService, *, now: datetime | None = None) -> Round:
    """Look, unless somebody has just done so; tell whoever is to be told. Raises DatabaseError."""
    moment = now or timezone.now()
    if not _take_turn(moment):
        return Round()
    found = troubles.find(_snapshot(pool), now=moment)
    began, ended = _compare(found, moment)
    webhooks.tell_of_ended_runs(now=moment)
    sent = deliveries.send_due(now=moment)
    deliveries.thin(now=moment)
    return Round(began, ended, sent)


def look_in_background() -> None:
    """For a web server: at most every 40 seconds, beside the request that came along."""
    if _overdue.take():
        threading.Thread(target=_look_alone, name="notices", daemon=True).start()


def ping() -> bool | None:
    """Tell whoever watches from outside that a round of the monitor is done: a dead man's switch.
    None: ``MONITOR_PING_URL`` is not set."""
    url = notice_conf().ping_url
    if not url:
        return None
    # Every command would load it, and few rounds send anything.
    import requests

    try:
        answer = requests.get(url, timeout=PING_TIMEOUT_SECONDS)
    except requests.RequestException as problem:
        # Its text has the address, which may hold a secret.
        logger.warning("MONITOR_PING_URL did not answer (%s)", type(problem).__name__)
        return False
    if not answer.ok:
        logger.warning("MONITOR_PING_URL answered %d", answer.status_code)
    return bool(answer.ok)


def _look_alone() -> None:
    try:
        look(get_worker_pool())
    except (*DATABASE_ERRORS, PoolUnavailable) as problem:
        logger.warning("nobody could look for troubles: %r", problem)
    finally:
        close_connections()


def _take_turn(now: datetime) -> bool:
    NoticeRound.objects.get_or_create(pk=THE_ONE)
    before = now - timedelta(seconds=LOOK_SECONDS)
    due = Q(looked_at=None) | Q(looked_at__lte=before) | Q(looked_at__gt=now)
    return bool(NoticeRound.objects.filter(due, pk=THE_ONE).update(looked_at=now))


def _snapshot(pool: WorkerPoolService) -> PoolSnapshot | None:
    try:
        return pool.snapshot(queue_limit=0)
    except PoolUnavailable:
        return None


def _compare(found: Sequence[Found], now: datetime) -> tuple[int, int]:
    """Write down what began and what is over, with its messages; how many of each were told."""
    with transaction.atomic():
        open_ones = {one.open_key: one for one in Trouble.objects.filter(ended_at=None)}
        began = [_noted(one, open_ones.pop(one.key, None), now) for one in found]
        new = [trouble for trouble in began if trouble is not None]
        over = [trouble for trouble in open_ones.values() if _end(trouble, now)]
    for trouble in new:
        _signal(trouble_began, trouble)
    for trouble in over:
        _signal(trouble_ended, trouble)
    return len(new), len(over)


def _noted(found: Found, trouble: Trouble | None, now: datetime) -> Trouble | None:
    """The trouble if people are to be told of it now."""
    if trouble is None:
        trouble = Trouble(kind=found.kind, subject=found.subject, open_key=found.key, began_at=now)
    trouble.level, trouble.sentence, trouble.path = found.level, found.sentence, found.path
    trouble.count, trouble.seen_at = found.count, now
    held_seconds = (now - trouble.began_at).total_seconds()
    is_new = trouble.told_at is None and held_seconds >= found.settles_seconds
    if is_new:
        trouble.told_at = now
    trouble.save()
    if is_new:
        deliveries.tell(trouble, is_over=False, now=now)
    return trouble if is_new else None


def _end(trouble: Trouble, now: datetime) -> bool:
    """Whether anybody had been told of it."""
    trouble.ended_at, trouble.open_key = now, None
    trouble.save(update_fields=("ended_at", "open_key"))
    if trouble.told_at is not None:
        deliveries.tell(trouble, is_over=True, now=now)
    return trouble.told_at is not None


def _signal(signal: Signal, trouble: Trouble) -> None:
    for receiver, answer in signal.send_robust(Trouble, trouble=trouble):
        if isinstance(answer, Exception):
            logger.error("a receiver of a notice failed: %r", receiver, exc_info=answer)
