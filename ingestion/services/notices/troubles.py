"""What is wrong now: failed syncs, broken promises, refused credentials, parts that are away.

Each is a condition that holds or does not, so that the end of one can be told as well, and fifty
failures of one CRM are one trouble.
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ingestion.conf import pool_conf
from ingestion.models import CrmBreaker, HeldDeletions, SyncHistory
from ingestion.models.notices import NoticeLevel
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.breakers.breaker import open_breakers, warnings
from ingestion.services.breakers.judgement import PASSING
from ingestion.services.freshness.datasets import Dataset, datasets, late_datasets
from ingestion.services.freshness.promises import read_promises
from ingestion.services.reporting import health
from ingestion.services.runs import held
from ingestion.services.security.secrets import mask
from ingestion.settings_reader import var_dir
from ingestion.sync.common.errors import CredentialsError, SettingsMissing

# A route that has not run for so long says nothing about today.
JUDGED_DAYS = 7
MOST_ROWS = 5000
MOST_NAMED = 5
LONGEST_ERROR = 300
# A failure that may pass: the next run, or the breaker, comes first.
PASSES_SECONDS = 120.0
LEAST_FREE_SHARE, LEAST_FREE_BYTES = 0.05, 500_000_000
REFUSED = frozenset({CredentialsError.error_class, SettingsMissing.error_class})
# What passes by itself within this time is told to nobody: a restart, a deployment.
SETTLES_SECONDS = {"no_workers": 90.0, "beat_away": 60.0, "monitor_away": 60.0, "degraded": 30.0}


@dataclass(frozen=True)
class Found:
    """A trouble that holds now. ``subject``: the CRM, or empty for the whole system. ``path``: the
    page to look at. ``count``: how many runs or datasets it stands for."""

    kind: str
    subject: str
    level: NoticeLevel
    sentence: str
    path: str = "/"
    count: int = 1
    # For so long it must hold before anybody is told; None: as its kind does.
    settles: float | None = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"

    @property
    def settles_seconds(self) -> float:
        return SETTLES_SECONDS.get(self.kind, 0.0) if self.settles is None else self.settles


def find(snapshot: PoolSnapshot | None, *, now: datetime) -> list[Found]:
    """All that is wrong; ``snapshot`` None while the pool cannot be asked. Raises DatabaseError."""
    breakers = open_breakers()
    return [
        *(_left_in_peace(row) for row in breakers.values()),
        *(_beside(found, breakers) for found in (*_of_runs(now), *_late())),
        *_held_back(),
        *(_of_pool(snapshot) if snapshot else [_unreachable()]),
        *_disk(),
    ]


def _left_in_peace(row: CrmBreaker) -> Found:
    if row.probe_at:
        until = f"tried again at {row.probe_at:%Y-%m-%d %H:%M} UTC by one run"
    else:
        until = "until somebody closes its breaker"
    sentence = f"{row.crm_source} is left in peace, {until}: {row.sentence}."
    return Found("breaker_open", row.crm_source, NoticeLevel.ERROR, sentence, _crm_path(row))


def _beside(found: Found, breakers: Mapping[str, CrmBreaker]) -> Found:
    """What follows from an open breaker is not told beside it."""
    return replace(found, settles=math.inf) if found.subject in breakers else found


def _crm_path(row: CrmBreaker) -> str:
    return f"/crms/{row.crm_source}/"


def _of_runs(now: datetime) -> Iterator[Found]:
    by_crm: dict[str, list[SyncHistory]] = defaultdict(list)
    for row in _last_runs(now):
        by_crm[row.crm_source].append(row)
    near = warnings()
    for crm_source, rows in sorted(by_crm.items()):
        failed = [row for row in rows if row.status == SyncHistory.Status.FAILED]
        refused = [row for row in failed if row.error_class in REFUSED]
        others = [row for row in failed if row.error_class not in REFUSED]
        if refused:
            yield _refused(crm_source, refused)
        if others:
            yield _failed(crm_source, others, near.get(crm_source, ""))
        if rejected := [row for row in rows if row.records_failed and row not in failed]:
            yield _rejected(crm_source, rejected)


def _last_runs(now: datetime) -> Iterable[SyncHistory]:
    """The last ended run of each route, the latest first. A trial run says nothing."""
    ended = (
        SyncHistory.objects.filter(end_time__gte=now - timedelta(days=JUDGED_DAYS))
        .exclude(status__in=(*SyncHistory.OPEN_STATUSES, SyncHistory.Status.CANCELLED))
        .order_by("-end_time", "-pk")
    )
    names = ("crm_source", "sync_type", "status", "error_class", "records_failed", "error_message")
    found: dict[tuple[str, str], SyncHistory] = {}
    for row in ended.only(*names, "end_time", "configuration")[:MOST_ROWS]:
        asked = row.configuration
        if not (asked.get("dry_run") or (asked.get("parameters") or {}).get("dry_run")):
            found.setdefault((row.crm_source, row.sync_type), row)
    return found.values()


def _refused(crm_source: str, rows: Sequence[SyncHistory]) -> Found:
    why = _why(rows[0])
    return Found(
        "credentials_refused",
        crm_source,
        NoticeLevel.ERROR,
        f"{crm_source} cannot be read with the credentials that are set{why}",
        _run_path(rows[0]),
        len(rows),
    )


def _failed(crm_source: str, rows: Sequence[SyncHistory], warning: str) -> Found:
    what = f"The last sync of {_named([row.sync_type for row in rows])} failed"
    return Found(
        "sync_failed",
        crm_source,
        NoticeLevel.ERROR,
        f"{crm_source}: {what[0].lower()}{what[1:]}{_why(rows[0])} {warning}".rstrip(),
        _run_path(rows[0]),
        len(rows),
        PASSES_SECONDS if all(row.error_class in PASSING for row in rows) else None,
    )


def _rejected(crm_source: str, rows: Sequence[SyncHistory]) -> Found:
    count = sum(row.records_failed for row in rows)
    routes = _named([row.sync_type for row in rows])
    return Found(
        "records_rejected",
        crm_source,
        NoticeLevel.WARNING,
        f"{crm_source}: {count} record{'s' if count > 1 else ''} of the last sync of {routes} could "
        "not be loaded; they stand in the table _rejected.",
        _run_path(rows[0]),
        count,
    )


def _held_back() -> Iterator[Found]:
    """Candidates for deletion that wait for somebody's decision."""
    by_crm: dict[str, list[HeldDeletions]] = defaultdict(list)
    for row in held.held():
        if row.is_open:
            by_crm[row.crm_source].append(row)
    for crm_source, rows in by_crm.items():
        count = sum(row.count for row in rows)
        models = [row.model for row in rows]
        yield Found(
            "deletions_held",
            crm_source,
            NoticeLevel.WARNING,
            f"{crm_source}: {count} records of {_named(models)} are not in the CRM any more. So many are "
            "held back; accept or dismiss them on the page of the dataset.",
            f"/crms/{crm_source}/{models[0]}/",
            count,
        )


def _late() -> Iterator[Found]:
    promises = read_promises()
    late: dict[str, list[tuple[Dataset, Any]]] = defaultdict(list)
    for pair in late_datasets(datasets(promises=promises), promises):
        late[pair[0].crm_source].append(pair)
    for crm_source, pairs in sorted(late.items()):
        first, shown = pairs[0]
        since = first.late_since(promises.now)
        why = " ".join(reason["sentence"] for reason in shown["reasons"])
        yield Found(
            "dataset_late",
            crm_source,
            NoticeLevel.ERROR,
            f"{crm_source}: {_named([one.model for one, _ in pairs])} "
            f"{'is' if len(pairs) == 1 else 'are'} late, since {since:%Y-%m-%d %H:%M} UTC. {why}",
            f"/crms/{crm_source}/",
            len(pairs),
        )


def _of_pool(snapshot: PoolSnapshot) -> Iterator[Found]:
    monitor_seconds = pool_conf().monitor_seconds
    if snapshot.degraded:
        why = snapshot.degraded_reason.rstrip(".")
        yield Found("degraded", "", NoticeLevel.ERROR, f"The pool is degraded: {why}.")
    if snapshot.runs_nothing:
        text = "No Celery worker is online: nothing runs until one comes."
        yield Found("no_workers", "", NoticeLevel.CRITICAL, text)
    age = snapshot.monitor_age_seconds
    if age is not None and age > health.MISSED_ROUNDS * monitor_seconds:
        text = f"The monitor has not run for {age / 60:.0f} minutes; see whether beat is running."
        yield Found("monitor_away", "", NoticeLevel.ERROR, text)
    age = snapshot.beat_age_seconds
    if age is not None and age > health.MISSED_ROUNDS * monitor_seconds + health.BEAT_NOTE_SECONDS:
        text = f"Beat has not run for {age / 60:.0f} minutes: no schedule starts."
        yield Found("beat_away", "", NoticeLevel.CRITICAL, text)


def _unreachable() -> Found:
    return Found("degraded", "", NoticeLevel.CRITICAL, "The pool cannot be reached.")


def _disk() -> Iterator[Found]:
    free, total = _free_space()
    if free < LEAST_FREE_BYTES or free < total * LEAST_FREE_SHARE:
        text = f"The disk of {var_dir()} has {free / 1e9:.1f} GB left of {total / 1e9:.0f} GB."
        yield Found("disk_full", "", NoticeLevel.ERROR, text)


def _free_space() -> tuple[int, int]:
    """Free and total bytes."""
    folder = var_dir()
    usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
    return usage.free, usage.total


def _named(names: Sequence[str]) -> str:
    """The first ones, and how many more."""
    unique = sorted(set(names))
    more = len(unique) - MOST_NAMED
    return ", ".join(unique[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _why(row: SyncHistory) -> str:
    error = mask(row.error_message or "")[:LONGEST_ERROR].rstrip(".")
    return f": {error}." if error else "."


def _run_path(row: SyncHistory) -> str:
    return f"/history/{row.pk}/"
