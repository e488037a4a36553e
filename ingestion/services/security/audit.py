"""The audit record: who did what, when and why, and what was before and after it.

Everything that is recorded passes ``columns``, so that no secret gets into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models import AuditRecord
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.record import plain_json
from ingestion.services.infra import cursor
from ingestion.services.security.secrets import mask, mask_json

POOL = "worker pool"
LONGEST_NAME = 200
LONGEST_REASON = 2000

_acting: ContextVar[str] = ContextVar("acting", default=POOL)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Whoever is meant where a verb is not told: an entry point's user, a host, a task of beat."""
    before = _acting.set(name)
    try:
        yield
    finally:
        _acting.reset(before)


def introduce(name: str) -> None:
    """From here on this process acts under this name."""
    _acting.set(name)


def actor(named: str = "") -> str:
    """Who acts: the one that is named, else whoever came in through the entry point."""
    return named or _acting.get()


def signed(change: ChangeRequest) -> ChangeRequest:
    """As it may be kept and shown: with a name, and without secrets."""
    return replace(change, by=mask(actor(change.by)), reason=mask(change.reason))


def entry(
    action: str,
    *,
    change: ChangeRequest = UNSIGNED,
    target: str = "",
    before: Any = None,
    after: Any = None,
) -> AuditRecord:
    """A record that is not saved yet. ``before`` and ``after`` are JSON values."""
    return AuditRecord(**columns(action, change=change, target=target, before=before, after=after))


def columns(
    action: str,
    *,
    change: ChangeRequest = UNSIGNED,
    target: str = "",
    before: Any = None,
    after: Any = None,
) -> dict[str, Any]:
    """The columns of such a record."""
    return {
        "at": timezone.now(),
        "action": action,
        "actor": _text(actor(change.by))[:LONGEST_NAME],
        "target": _text(target)[:LONGEST_NAME],
        "reason": _text(change.reason)[:LONGEST_REASON],
        "before": plain_json(mask_json(before)),
        "after": plain_json(mask_json(after)),
    }


def record(
    action: str,
    *,
    change: ChangeRequest = UNSIGNED,
    target: str = "",
    before: Any = None,
    after: Any = None,
) -> AuditRecord:
    """Write down one action."""
    made = entry(action, change=change, target=target, before=before, after=after)
    made.save()
    return made


def find(
    *, target: str = "", action: str = "", since: datetime | None = None, limit: int
) -> list[AuditRecord]:
    """The latest first."""
    found = AuditRecord.objects.all()
    if target:
        found = found.filter(target=target)
    if action:
        found = found.filter(action=action)
    if since:
        found = found.filter(at__gte=since)
    return list(found[:limit])


@dataclass(frozen=True)
class Search:
    """What to look for; empty fields say nothing. ``actor`` and ``target`` are parts of theirs."""

    action: str = ""
    actor: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def rows(self) -> QuerySet[AuditRecord]:
        wanted = {
            "action": self.action,
            "actor__icontains": self.actor,
            "target__icontains": self.target,
            "at__gte": self.since,
            "at__lt": self.until,
        }
        return AuditRecord.objects.filter(**{name: v for name, v in wanted.items() if v})


def search(wanted: Search, *, at: str | None, limit: int) -> tuple[list[AuditRecord], str | None]:
    """The latest records first, and the cursor of the next page; None at the end. Raises
    InvalidCursor."""
    return cursor.page(wanted.rows(), by="at", cursor=at, limit=limit)


def actions() -> list[str]:
    """Those that were ever recorded, by name."""
    return sorted(AuditRecord.objects.order_by().values_list("action", flat=True).distinct())


def to_dict(found: AuditRecord) -> dict[str, Any]:
    """The JSON form."""
    return {
        "at": found.at.isoformat(),
        "action": found.action,
        "actor": found.actor,
        "target": found.target,
        "reason": found.reason,
        "before": found.before,
        "after": found.after,
    }


def _text(text: str) -> str:
    # PostgreSQL's text takes no NUL, and no database a lone surrogate.
    return str(plain_json(mask(text)))
