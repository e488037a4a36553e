"""What happened over time: numbers per span of time, runs in lanes, and actions beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from ingestion.models import AuditRecord, SyncHistory
from ingestion.services.infra.response_cache import Answer, SharedAnswers, answer, as_json
from ingestion.services.reporting.task_summary import cut

KEPT_SECONDS = 5.0
MOST_RUNS = 20_000
MOST_IN_LANES = 200
MOST_EVENTS = 50
# What changed the pool as a whole; the actions of single tasks are its runs.
EVENTS = (
    "limit",
    "priority_aging",
    "pause",
    "resume",
    "clear",
    "reset",
    "repair",
    "degraded",
    "recovered",
    "heal",
)

shared = SharedAnswers(KEPT_SECONDS)


@dataclass(frozen=True)
class Range:
    """How far back, in how many spans."""

    seconds: int
    bucket_seconds: int


RANGES: Mapping[str, Range] = {
    "1h": Range(3600, 60),
    "6h": Range(6 * 3600, 300),
    "24h": Range(24 * 3600, 1200),
    "7d": Range(7 * 24 * 3600, 7200),
}


class Run(NamedTuple):
    pk: int
    crm_source: str
    sync_type: str
    status: str
    created_at: datetime
    start_time: datetime
    end_time: datetime | None
    records_processed: int
    attempt: int
    worker_pool_task_id: str | None

    @property
    def has_run(self) -> bool:
        """A task that was cancelled while it waited never did."""
        return self.attempt > 0 or self.worker_pool_task_id is None


def charts(name: str) -> Answer:
    """``name`` one of ``RANGES``. Raises DatabaseError."""
    return shared.get(name, lambda: _made(name))


def _made(name: str) -> Answer:
    span, now = RANGES[name], timezone.now()
    # Buckets stand still while time goes by, so that an answer stays the same for one of them.
    last = int(now.timestamp()) // span.bucket_seconds * span.bucket_seconds
    first = last - span.seconds + span.bucket_seconds
    runs = _runs(since=now - timedelta(seconds=span.seconds))
    shown = [run for run in runs if run.has_run]
    marked, left_out = events(since=now - timedelta(seconds=span.seconds))
    content = {
        "range": name,
        "from": _iso(first),
        "to": _iso(last + span.bucket_seconds),
        "bucket_seconds": span.bucket_seconds,
        "is_complete": len(runs) < MOST_RUNS,
        "from_read": min((r.start_time for r in runs), default=now).isoformat()
        if len(runs) == MOST_RUNS
        else _iso(first),
        "series": series(runs, first=first, last=last, step=span.bucket_seconds),
        "lanes": lanes(shown[:MOST_IN_LANES]),
        "lanes_left_out": len(shown[MOST_IN_LANES:]),
        "events": marked,
        "events_left_out": left_out,
    }
    whole = {"schema": 1, "taken_at": now.isoformat(), **content}
    return answer(as_json(whole), steady=content, taken_at=now)


def _runs(*, since: datetime) -> list[Run]:
    """Those that ran after ``since``, the latest first: each index is read on its own."""
    named = Run._fields
    running = SyncHistory.objects.filter(status=SyncHistory.Status.RUNNING)
    ended = SyncHistory.objects.filter(end_time__gte=since).order_by("-end_time")
    found = [Run(*values) for values in running.values_list(*named)[:MOST_IN_LANES]]
    found += [Run(*values) for values in ended.values_list(*named)[: MOST_RUNS - len(found)]]
    return sorted(found, key=lambda run: run.start_time, reverse=True)


def series(runs: Iterable[Run], *, first: int, last: int, step: int) -> dict[str, Any]:
    """Columns of equal length; ``at`` is when a span begins, in seconds since 1970."""
    at = list(range(first, last + 1, step))
    counted = {name: [0] * len(at) for name in ("completed", "failed", "cancelled", "rows")}
    waits, times = (defaultdict[int, list[float]](list) for _ in range(2))
    changes: dict[int, int] = defaultdict(int)
    for run in runs:
        place = _place(run.end_time, first, step, len(at))
        if place is not None and run.end_time:
            counted[_word(run.status)][place] += 1
            counted["rows"][place] += run.records_processed
        if run.has_run:
            _note_running(run, changes, first=first, step=step, spans=len(at))
            if place is not None and run.end_time:
                times[place].append((run.end_time - run.start_time).total_seconds())
                waits[place].append((run.start_time - run.created_at).total_seconds())
    return {
        "at": at,
        **counted,
        "wait_seconds": [_mean(waits.get(place)) for place in range(len(at))],
        "run_seconds": [_mean(times.get(place)) for place in range(len(at))],
        "running": _running(changes, len(at)),
    }


def _word(status: str) -> str:
    return status if status in ("failed", "cancelled") else "completed"


def _place(when: datetime | None, first: int, step: int, spans: int) -> int | None:
    """The span of a time; None outside of all."""
    if when is None:
        return None
    place = int((when.timestamp() - first) // step)
    return place if 0 <= place < spans else None


def _note_running(run: Run, changes: dict[int, int], *, first: int, step: int, spans: int) -> None:
    """In every span from its start to its end the run counts."""
    begin = max(0, int((run.start_time.timestamp() - first) // step))
    end = spans
    if run.end_time is not None:
        end = int((run.end_time.timestamp() - first) // step) + 1
    if begin < spans and end > begin:
        changes[begin] += 1
        changes[min(end, spans)] -= 1


def _running(changes: Mapping[int, int], spans: int) -> list[int]:
    """How many runs each span has seen."""
    counts, running = [], 0
    for place in range(spans):
        running += changes.get(place, 0)
        counts.append(running)
    return counts


def _mean(values: Sequence[float] | None) -> float | None:
    if not values:
        return None
    return round(sum(max(0.0, value) for value in values) / len(values), 1)


def lanes(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The runs of each route as ``[history id, status, start, end]``, times in seconds since 1970."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for run in runs:
        end = round(run.end_time.timestamp()) if run.end_time else None
        found[run.crm_source, run.sync_type].append(
            [run.pk, run.status, round(run.start_time.timestamp()), end]
        )
    return [
        {"route": f"{crm_source}.{sync_type}", "crm_source": crm_source, "runs": bars}
        for (crm_source, sync_type), bars in sorted(found.items())
    ]


def events(*, since: datetime) -> tuple[list[dict[str, Any]], int]:
    """The latest actions that concern the pool as a whole, the latest first, and how many more there
    are."""
    records = AuditRecord.objects.filter(at__gte=since, action__in=EVENTS)
    latest = list(records[:MOST_EVENTS])
    left_out = records.count() - len(latest) if len(latest) == MOST_EVENTS else 0
    return [_event(record) for record in latest], left_out


def _event(record: AuditRecord) -> dict[str, Any]:
    return {
        "at": record.at.isoformat(),
        "action": record.action,
        "actor": cut(record.actor, 80),
        "target": cut(record.target, 80),
        "text": cut(_said(record)),
    }


def _said(record: AuditRecord) -> str:
    change = "" if record.after is None else f"{record.before} -> {record.after}"
    if not isinstance(record.after, str | int | float):
        change = ""
    return ": ".join(part for part in (change, record.reason) if part)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.get_default_timezone()).isoformat()
