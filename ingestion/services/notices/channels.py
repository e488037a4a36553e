"""Who is told: the channels of ``NOTICE_CHANNELS``, and what of it each of them is told.

The addresses hold secrets and stay in the settings; the database keeps levels and quiet hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.db import transaction

from ingestion.conf import notice_conf
from ingestion.models.notices import NoticeChannel, NoticeLevel
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.security import audit

ORDER = tuple(NoticeLevel)
SETTABLE = ("enabled", "level", "quiet_from", "quiet_until", "timezone")


class UnknownChannel(PoolError, LookupError):
    """NOTICE_CHANNELS has no channel of this name."""

    code = "UNKNOWN_CHANNEL"


class InvalidChannel(PoolError, ValueError):
    """A channel cannot be set like this."""

    code = "INVALID_CHANNEL"


@dataclass(frozen=True)
class Channel:
    """One channel and how it is set. Never shown with its address."""

    name: str
    url: str
    enabled: bool = True
    level: NoticeLevel = NoticeLevel.WARNING
    quiet_from: time | None = None
    quiet_until: time | None = None
    timezone: str = "UTC"

    @property
    def service(self) -> str:
        """``mailto``, ``slack``: of the address no more than its kind."""
        return self.url.partition(":")[0]

    def wants(self, level: str) -> bool:
        return self.enabled and ORDER.index(NoticeLevel(level)) >= ORDER.index(self.level)

    def quiet_end(self, now: datetime) -> datetime | None:
        """When the quiet hours end in which ``now`` lies; None outside of them."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        here = now.astimezone(ZoneInfo(self.timezone))
        starts, ends = self.quiet_from, self.quiet_until
        at = here.time()
        is_quiet = starts <= at < ends if starts <= ends else at >= starts or at < ends
        if not is_quiet:
            return None
        day = here.date() + timedelta(days=1 if starts > ends and at >= starts else 0)
        return datetime.combine(day, ends, tzinfo=here.tzinfo)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the address."""
        return {
            "name": self.name,
            "service": self.service,
            "enabled": self.enabled,
            "level": str(self.level),
            "quiet_from": _clock(self.quiet_from),
            "quiet_until": _clock(self.quiet_until),
            "timezone": self.timezone,
        }


def channels() -> list[Channel]:
    """In the order of the setting."""
    rows = {row.name: row for row in NoticeChannel.objects.all()}
    return [_channel(name, url, rows.get(name)) for name, url in notice_conf().channels]


def channel(name: str) -> Channel:
    """Raises UnknownChannel."""
    found = {one.name: one for one in channels()}
    if name not in found:
        known = ", ".join(found) or "none"
        raise UnknownChannel(f"NOTICE_CHANNELS has no channel {name!r}; it has: {known}.")
    return found[name]


def set_channel(
    name: str, fields: Mapping[str, Any], *, change: ChangeRequest = UNSIGNED
) -> Channel:
    """Change some of ``SETTABLE``; times of quiet hours as ``22:00``, or None. Raises
    UnknownChannel, InvalidChannel."""
    before = channel(name)
    wanted = _checked(before, fields)
    with transaction.atomic():
        NoticeChannel.objects.update_or_create(
            name=name, defaults={**wanted, "updated_by": audit.signed(change).by}
        )
        after = channel(name)
        audit.record(
            "notice_channel",
            change=change,
            target=f"channel {name}",
            before=before.to_dict(),
            after=after.to_dict(),
        )
    return after


def _checked(before: Channel, fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in fields.items() if name in SETTABLE}
    for name in ("quiet_from", "quiet_until"):
        if isinstance(found.get(name), str):
            found[name] = _time(found[name])
    if found.get("timezone", "UTC") not in available_timezones():
        raise InvalidChannel("timezone is unknown; write one such as Europe/Berlin or UTC.")
    if found.get("level", "info") not in NoticeLevel.values:
        raise InvalidChannel(f"level must be one of {', '.join(NoticeLevel.values)}.")
    both = {name: found.get(name, getattr(before, name)) for name in ("quiet_from", "quiet_until")}
    if (both["quiet_from"] is None) != (both["quiet_until"] is None):
        raise InvalidChannel("quiet hours need both, quiet_from and quiet_until.")
    return found


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError as problem:
        raise InvalidChannel(f"{text!r} is no time of the day such as 22:00.") from problem


def _channel(name: str, url: str, row: NoticeChannel | None) -> Channel:
    if row is None:
        return Channel(name, url)
    return Channel(
        name,
        url,
        row.enabled,
        NoticeLevel(row.level),
        row.quiet_from,
        row.quiet_until,
        row.timezone,
    )


def _clock(at: time | None) -> str | None:
    return f"{at:%H:%M}" if at else None
