"""The circuit breaker of each CRM: while it is open the pool starts nothing of the CRM.

It works by a pause of the CRM, which every page and command shows with its reason and its end. After
the end one run at a time may try: if it succeeds the breaker closes, else the next pause is twice as
long. Refused credentials stay until somebody acts. A pause that an operator has set is left alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from ingestion.conf import breaker_conf
from ingestion.models import CrmBreaker
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.services.breakers.judgement import (
    KEPT,
    Sign,
    failures,
    has_to_open,
    is_near,
    next_interval,
    sign_of,
)
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.requests.routing import unknown_source
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask
from ingestion.sync.common.registry import crms

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

logger = logging.getLogger(__name__)

BY = "breaker"
LONGEST_ERROR = 300
LOOK_SECONDS = 3.0
# A probe that never comes must not hold the CRM at one run for ever.
PROBE_DAYS = 2


def judge(
    pool: WorkerPoolService, crm_source: str, outcome: Outcome, *, now: datetime | None = None
) -> None:
    """What an attempt that has just ended means for its CRM; called before its slot is freed, so
    that nothing of the CRM takes the slot of the run that opens the breaker. A failure to judge is
    logged and no more."""
    first_seconds = breaker_conf().first_minutes * 60
    sign = sign_of(outcome)
    if not first_seconds or sign == Sign.SILENT:
        return
    try:
        _judge(pool, crm_source, sign, outcome, now or timezone.now(), first_seconds)
    except (*DATABASE_ERRORS, PoolUnavailable) as problem:
        logger.warning("the breaker of %s could not be judged: %r", crm_source, problem)


def open_by_hand(
    pool: WorkerPoolService, crm_source: str, *, change: ChangeRequest = UNSIGNED
) -> CrmBreaker:
    """Leave a CRM in peace until ``close_by_hand``. Raises UnknownSource, PoolUnavailable."""
    _check_known(crm_source)
    signed = audit.signed(change)
    with transaction.atomic():
        row = _locked(crm_source)
        reason = signed.reason or "no reason was given"
        _open(row, CrmBreaker.Kind.BY_HAND, f"opened by {signed.by}: {reason}", timezone.now())
        row.changed_by = signed.by
        row.save()
        audit.record("breaker_open", change=change, target=crm_source)
    _pause(pool, row)
    return row


def close_by_hand(
    pool: WorkerPoolService, crm_source: str, *, change: ChangeRequest = UNSIGNED
) -> CrmBreaker:
    """Let a CRM's syncs start again at once. Raises UnknownSource, PoolUnavailable."""
    _check_known(crm_source)
    with transaction.atomic():
        row = _locked(crm_source)
        _close(row)
        row.changed_by = audit.signed(change).by
        row.save()
        audit.record("breaker_close", change=change, target=crm_source)
    _resume(pool, row)
    return row


def open_breakers() -> dict[str, CrmBreaker]:
    """Those that are open, by CRM. Raises DatabaseError."""
    return {row.crm_source: row for row in CrmBreaker.objects.filter(is_open=True)}


def warnings() -> dict[str, str]:
    """What is to be said of those that the next failed run may open, by CRM. Raises
    DatabaseError."""
    closed = CrmBreaker.objects.filter(is_open=False)
    return {row.crm_source: said for row in closed if (said := warning_of(row))}


def warning_of(row: CrmBreaker) -> str:
    """A sentence before it opens; '' where nothing is near."""
    if row.is_open or not breaker_conf().first_minutes or not is_near(row.recent):
        return ""
    runs = len(row.recent)
    which = f"{failures(row.recent)} of its last {runs} runs" if runs > 1 else "Its last run"
    return f"{which} failed; after one more that loads nothing it is left in peace."


def listed() -> Iterator[dict[str, Any]]:
    """The JSON form of every CRM's breaker."""
    rows = {row.crm_source: row for row in CrmBreaker.objects.all()}
    for name in crms():
        yield to_dict(rows.get(name) or CrmBreaker(crm_source=name))


def to_dict(row: CrmBreaker) -> dict[str, Any]:
    """The JSON form. ``state``: closed, open, or probing once one run may try. ``warning``: a
    sentence where the next failed run may open it."""
    is_probing = row.is_open and row.probe_at is not None and row.probe_at <= timezone.now()
    return {
        "crm_source": row.crm_source,
        "state": "probing" if is_probing else "open" if row.is_open else "closed",
        "kind": row.kind if row.is_open else "",
        "sentence": row.sentence if row.is_open else "",
        "warning": warning_of(row),
        "opened_at": row.opened_at.isoformat() if row.is_open and row.opened_at else None,
        "probe_at": row.probe_at.isoformat() if row.is_open and row.probe_at else None,
        "recent": list(row.recent),
    }


def _judge(
    pool: WorkerPoolService,
    crm_source: str,
    sign: Sign,
    outcome: Outcome,
    now: datetime,
    first_seconds: float,
) -> None:
    if sign == Sign.GOOD and _was_always_good(crm_source):
        return
    with transaction.atomic():
        row = _locked(crm_source)
        was_open = row.is_open
        changed = _apply(row, sign, outcome, now, first_seconds)
        row.save()
    if changed and row.is_open:
        logger.warning("the breaker of %s is open: %s", crm_source, row.sentence)
        _pause(pool, row)
    elif not row.is_open and sign != Sign.GOOD and (said := warning_of(row)):
        logger.warning("the breaker of %s is about to open: %s", crm_source, said)
    elif changed and was_open:
        logger.info("the breaker of %s is closed", crm_source)
        _resume(pool, row)


def _apply(
    row: CrmBreaker, sign: Sign, outcome: Outcome, now: datetime, first_seconds: float
) -> bool:
    """Whether the breaker opened, opened again, or closed."""
    row.recent = [*row.recent, str(sign)][-KEPT:]
    if sign == Sign.GOOD:
        was_open = row.is_open
        if was_open and row.kind != CrmBreaker.Kind.BY_HAND:
            _close(row)
        return was_open and not row.is_open
    if row.is_open and not _is_probe(row, now):
        return False  # it began before the breaker opened
    error = mask(outcome.error_message or "")[:LONGEST_ERROR].rstrip(".")
    if sign == Sign.REFUSED:
        _open(row, CrmBreaker.Kind.CREDENTIALS, f"the credentials were refused: {error}", now)
        return True
    if sign == Sign.QUOTA:
        seconds = outcome.retry_in_seconds or first_seconds
        _open(row, CrmBreaker.Kind.QUOTA, f"its quota is used up: {error}", now, seconds)
        return True
    if not row.is_open and not has_to_open(row.recent):
        return False
    seconds = next_interval(row.interval_seconds, first_seconds=first_seconds)
    _open(row, CrmBreaker.Kind.TRANSIENT, f"it keeps failing: {error}", now, seconds)
    return True


def _is_probe(row: CrmBreaker, now: datetime) -> bool:
    return row.probe_at is not None and now >= row.probe_at


def _open(
    row: CrmBreaker, kind: str, sentence: str, now: datetime, seconds: float | None = None
) -> None:
    if not row.is_open:
        row.opened_at = now
    row.is_open, row.kind, row.sentence, row.changed_by = True, kind, sentence, BY
    row.interval_seconds = seconds if seconds and kind == CrmBreaker.Kind.TRANSIENT else 0
    row.probe_at = now + timedelta(seconds=seconds) if seconds else None


def _close(row: CrmBreaker) -> None:
    row.is_open, row.kind, row.sentence = False, "", ""
    row.opened_at = row.probe_at = None
    row.interval_seconds, row.recent, row.changed_by = 0, [], BY


def _pause(pool: WorkerPoolService, row: CrmBreaker) -> None:
    """Until the probe; and from then on one run at a time, until one has succeeded."""
    change = ChangeRequest(by=BY, reason=row.sentence)
    controls = pool.controls()
    pause = controls.crm_pauses.get(row.crm_source)
    if pause is None or pause.set_by == BY:
        pool.pause(row.crm_source, change=change, expires_at=row.probe_at)
    limit = controls.crm_limits.get(row.crm_source)
    if row.probe_at and (limit is None or limit.set_by == BY):
        until = row.probe_at + timedelta(days=PROBE_DAYS)
        why = replace(change, reason="one run tries whether it works again")
        pool.set_crm_limit(row.crm_source, 1, change=why, expires_at=until)


def _resume(pool: WorkerPoolService, row: CrmBreaker) -> None:
    change = ChangeRequest(by=BY, reason="it works again")
    controls = pool.controls()
    pause, limit = (
        controls.crm_pauses.get(row.crm_source),
        controls.crm_limits.get(row.crm_source),
    )
    if limit is not None and limit.set_by == BY:
        pool.set_crm_limit(row.crm_source, None, change=change)
    if pause is not None and pause.set_by == BY:
        pool.resume(row.crm_source, change=change)


# When this process last saw that nothing was ever wrong with a CRM.
_seen_good: dict[str, float] = {}


def _was_always_good(crm_source: str) -> bool:
    """Looked at now and then: what succeeds within these seconds after its CRM's first failure
    elsewhere may count for nothing."""
    now = time.monotonic()
    seen_at = _seen_good.get(crm_source)
    if seen_at is not None and now - seen_at < LOOK_SECONDS:
        return True
    is_good = not CrmBreaker.objects.filter(crm_source=crm_source).exists()
    if is_good:
        _seen_good[crm_source] = now
    return is_good


def _locked(crm_source: str) -> CrmBreaker:
    _seen_good.pop(crm_source, None)
    return CrmBreaker.objects.select_for_update().get_or_create(crm_source=crm_source)[0]


def _check_known(crm_source: str) -> None:
    if crm_source not in crms():
        raise unknown_source(crm_source, crms())
