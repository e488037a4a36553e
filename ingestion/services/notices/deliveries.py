"""The messages to channels: made, sent by apprise, tried again, written down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from ingestion.conf import notice_conf, site_url
from ingestion.models.notices import Delivery, NoticeLevel, Trouble
from ingestion.services.notices.channels import Channel, channel, channels

logger = logging.getLogger(__name__)

RETRY_MINUTES = (1, 5, 15, 60, 240)
# Whoever died while it sent has not said what became of it.
SENDING_SECONDS = 120
MOST_AT_ONCE = 50
KEPT_DAYS = 30
TITLES = {
    "sync_failed": "Sync failed",
    "credentials_refused": "Credentials refused",
    "records_rejected": "Records rejected",
    "deletions_held": "Deletions held back",
    "dataset_late": "Data is late",
    "degraded": "Pool degraded",
    "no_workers": "No worker online",
    "monitor_away": "Monitor away",
    "beat_away": "Beat away",
    "disk_full": "Disk nearly full",
    "breaker_open": "CRM left in peace",
}

# Gives whether the message was taken, and in words why not.
Send = Callable[[Delivery], str]


def tell(trouble: Trouble, *, is_over: bool, now: datetime) -> None:
    """A message to every channel that wants it. Of the end only those are told who were told of the
    beginning; what lies in quiet hours comes after them, and not at all if it is over by then."""
    if is_over:
        _tell_of_end(trouble, now)
        return
    for found in channels():
        if found.wants(trouble.level):
            _make(found, trouble, is_over=False, now=now)


def _tell_of_end(trouble: Trouble, now: datetime) -> None:
    of_beginning = Delivery.objects.filter(trouble=trouble, is_over=False)
    told = of_beginning.filter(Q(state=Delivery.State.SENT) | Q(attempts__gt=0))
    names = set(told.values_list("channel", flat=True))
    of_beginning.filter(state=Delivery.State.WAITING, attempts=0).update(
        state=Delivery.State.DROPPED, error="It was over before it could be told."
    )
    for found in channels():
        if found.name in names and found.enabled:
            _make(found, trouble, is_over=True, now=now)


def _make(found: Channel, trouble: Trouble, *, is_over: bool, now: datetime) -> None:
    is_urgent = trouble.level == NoticeLevel.CRITICAL
    quiet_end = None if is_urgent else found.quiet_end(now)
    Delivery.objects.create(
        channel=found.name,
        trouble=trouble,
        is_over=is_over,
        level=NoticeLevel.INFO if is_over else trouble.level,
        title=title_of(trouble, is_over=is_over)[:200],
        body=_body(trouble, is_over=is_over),
        made_at=now,
        next_at=quiet_end or now,
    )


def title_of(trouble: Trouble, *, is_over: bool) -> str:
    """``Sync failed: hubspot``, and ``Over: …``."""
    what = TITLES.get(trouble.kind, trouble.kind)
    named = f"{what}: {trouble.subject}" if trouble.subject else what
    return f"Over: {named}" if is_over else named


def _body(trouble: Trouble, *, is_over: bool) -> str:
    lines = [trouble.sentence]
    if is_over and trouble.ended_at:
        minutes = (trouble.ended_at - trouble.began_at).total_seconds() / 60
        lines = [f"It is over after {minutes:.0f} minutes. It was: {trouble.sentence}"]
    if site_url():
        lines.append(f"{site_url()}{trouble.path}")
    return "\n".join(lines)


def send_due(*, now: datetime | None = None) -> int:
    """Send what is due; how many were taken. Each is claimed by a conditional UPDATE first, so that
    no two processes send the same."""
    moment = now or timezone.now()
    due = Delivery.objects.filter(
        state=Delivery.State.WAITING, next_at__lte=moment, run=None
    ).order_by("next_at", "pk")
    return sum(deliver(found, through_channel, now=moment) for found in due[:MOST_AT_ONCE])


def deliver(found: Delivery, send: Send, *, now: datetime) -> bool:
    """One attempt; whether it was taken by this call."""
    claimed = Delivery.objects.filter(
        pk=found.pk, state=Delivery.State.WAITING, next_at=found.next_at
    ).update(next_at=now + timedelta(seconds=SENDING_SECONDS), attempts=found.attempts + 1)
    if not claimed:
        return False
    found.attempts += 1
    error = send(found)
    if not error:
        found.state, found.sent_at, found.error = Delivery.State.SENT, timezone.now(), ""
    else:
        _put_off(found, error, now)
    found.save(update_fields=("state", "sent_at", "error", "next_at"))
    return not error


def _put_off(found: Delivery, error: str, now: datetime) -> None:
    found.error = error
    if found.attempts > len(RETRY_MINUTES):
        found.state = Delivery.State.FAILED
        logger.error("a message to %s is given up after %d attempts", found.channel, found.attempts)
        return
    found.next_at = now + timedelta(minutes=RETRY_MINUTES[found.attempts - 1])
    logger.warning("a message to %s was not taken: %s", found.channel, error)


def through_channel(found: Delivery) -> str:
    """Empty when it was taken; else why not. Addresses are never named, they hold secrets."""
    url = dict(notice_conf().channels).get(found.channel)
    if url is None:
        return "NOTICE_CHANNELS has no such channel any more."
    # It takes a tenth of a second to import: only a process that sends a notice pays for it.
    import apprise

    sender = apprise.Apprise()
    if not sender.add(url):
        return "Its address in NOTICE_CHANNELS is no apprise URL."
    kind = apprise.NotifyType.SUCCESS if found.is_over else _NOTIFY_TYPES.get(found.level, "info")
    is_taken = sender.notify(title=found.title, body=found.body, notify_type=kind)
    return "" if is_taken else "The service did not take it."


_NOTIFY_TYPES = {"warning": "warning", "error": "failure", "critical": "failure"}


def send_test(name: str) -> Delivery:
    """Send a message to a channel now, whatever its level and quiet hours. Raises UnknownChannel."""
    found = channel(name)
    now = timezone.now()
    made = Delivery.objects.create(
        channel=found.name,
        title="A test of the data warehouse",
        body=f"The channel {found.name} works." + (f"\n{site_url()}/" if site_url() else ""),
        made_at=now,
        next_at=now,
    )
    deliver(made, through_channel, now=now)
    return made


def log(*, limit: int = 100) -> Iterable[Delivery]:
    """What became of the last messages, the latest first."""
    return Delivery.objects.select_related("trouble")[:limit]


def thin(*, now: datetime) -> None:
    """Forget what is long over."""
    before = now - timedelta(days=KEPT_DAYS)
    Delivery.objects.filter(made_at__lt=before).exclude(state=Delivery.State.WAITING).delete()
    Trouble.objects.filter(ended_at__lt=before).delete()
