"""Why a dataset is late: what keeps its loads away, as far as records and operators' settings say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.pool.controls import Control
from ingestion.services.beat.entries import is_live
from ingestion.services.freshness.loads import Load
from ingestion.services.requests.routing import ALL
from ingestion.services.security.secrets import mask

LONGEST_ERROR = 200


@dataclass(frozen=True)
class Reason:
    """``code``: paused, failed, under_way, no_schedule, switched_off, not_started. ``history_id``:
    the run to look at."""

    code: str
    sentence: str
    history_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class OpenRun:
    """One that waits or runs."""

    history_id: int
    is_running: bool
    since: datetime


@dataclass(frozen=True)
class Circumstances:
    """What holds for several datasets: pauses ('' for the whole pool), and the open runs by CRM and
    sync type."""

    pauses: Mapping[str, Control] = field(default_factory=dict)
    open_runs: Mapping[tuple[str, str], OpenRun] = field(default_factory=dict)


def read_circumstances(pauses: Mapping[str, Control]) -> Circumstances:
    """``pauses`` by CRM, '' for the whole pool. Raises DatabaseError."""
    return Circumstances(pauses, _open_runs())


def why_late(
    crm_source: str,
    model: str,
    loads: Sequence[Load],
    schedules: Sequence[SyncSchedule],
    circumstances: Circumstances,
    *,
    now: datetime,
) -> list[Reason]:
    """At least one reason, the one to act on first."""
    found = [
        *_paused(crm_source, circumstances.pauses),
        *_failed(loads),
        *_without_schedule(schedules, now),
    ]
    under_way = list(_under_way(crm_source, model, circumstances.open_runs))
    if found or under_way:
        return [*found, *under_way]
    return [_not_started(loads, schedules)]


def _open_runs() -> dict[tuple[str, str], OpenRun]:
    """One of each route, a running one before those that wait."""
    rows = SyncHistory.objects.filter(status__in=SyncHistory.OPEN_STATUSES)
    found: dict[tuple[str, str], OpenRun] = {}
    for row in rows.only("pk", "crm_source", "sync_type", "status", "start_time")[:1000]:
        run = OpenRun(row.pk, row.status == SyncHistory.Status.RUNNING, row.start_time)
        known = found.get((row.crm_source, row.sync_type))
        if known is None or run.is_running > known.is_running:
            found[row.crm_source, row.sync_type] = run
    return found


def _paused(crm_source: str, pauses: Mapping[str, Control]) -> Iterator[Reason]:
    for name, what in (("", "The whole pool"), (crm_source, crm_source)):
        if pause := pauses.get(name):
            yield Reason("paused", f"{what} is paused{_by(pause)}.")


def _by(pause: Control) -> str:
    by = f" by {pause.set_by}" if pause.set_by else ""
    since = f" since {_stamp(pause.set_at)}" if pause.set_at else ""
    return f"{by}{since}" + (f": {pause.reason.rstrip('.')}" if pause.reason else "")


def _failed(loads: Sequence[Load]) -> Iterator[Reason]:
    failed = list(takewhile(lambda load: not load.is_right, loads))
    if failed:
        error = mask(failed[0].error)[:LONGEST_ERROR].rstrip(".")
        runs = "Its last run" if len(failed) == 1 else f"Its last {len(failed)} runs"
        sentence = f"{runs} failed" + (f": {error}." if error else ".")
        yield Reason("failed", sentence, failed[0].history_id)


def _without_schedule(schedules: Sequence[SyncSchedule], now: datetime) -> Iterator[Reason]:
    if any(is_live(schedule, now) for schedule in schedules):
        return
    if schedules:
        names = ", ".join(repr(schedule.name) for schedule in schedules)
        yield Reason("switched_off", f"No schedule of it is switched on; there is {names}.")
    else:
        yield Reason("no_schedule", "No schedule loads it.")


def _under_way(
    crm_source: str, model: str, open_runs: Mapping[tuple[str, str], OpenRun]
) -> Iterator[Reason]:
    for sync_type in (model, ALL):
        if run := open_runs.get((crm_source, sync_type)):
            does = "runs" if run.is_running else "waits"
            sentence = f"A sync of {crm_source}.{sync_type} {does} since {_stamp(run.since)}."
            yield Reason("under_way", sentence, run.history_id)


def _not_started(loads: Sequence[Load], schedules: Sequence[SyncSchedule]) -> Reason:
    last = f"since {_stamp(loads[0].ended_at)}" if loads else "yet"
    names = ", ".join(repr(schedule.name) for schedule in schedules)
    return Reason(
        "not_started",
        f"No run was recorded {last}, although {names} is switched on; see whether beat and the "
        "workers run.",
    )


def _stamp(when: datetime) -> str:
    """Pages write it in the reader's zone."""
    return f"{when:%Y-%m-%d %H:%M} UTC"
