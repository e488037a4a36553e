"""Schedules of syncs: every change keeps beat's entry in step, within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from kombu.exceptions import OperationalError

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.beat import entries as schedule_beat
from ingestion.services.beat.recurrence import recurrence_of, runs_after
from ingestion.services.scheduling import load as schedule_load
from ingestion.services.scheduling import runs as schedule_runs
from ingestion.services.scheduling.errors import InvalidSchedule, ScheduleExists, ScheduleNotFound
from ingestion.services.scheduling.fields import TIMING, fill, to_fields
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask
from ingestion.services.worker_pool import get_worker_pool

SHOWN_RUNS = 5


@dataclass(frozen=True)
class Preview:
    """When a schedule runs: in words, and its next runs (UTC)."""

    words: str
    next_runs: tuple[datetime, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"words": self.words, "next_runs": [at.isoformat() for at in self.next_runs]}


def stored(crm_source: str = "") -> list[SyncSchedule]:
    """All of them, or those of a CRM, by CRM and model."""
    found = SyncSchedule.objects.select_related("periodic_task")
    return list(found.filter(crm_source=crm_source) if crm_source else found)


def last_runs(found: Iterable[SyncSchedule]) -> dict[int, SyncHistory]:
    """The last run of each that has run, by the schedule's id; one query."""
    runs = SyncHistory.objects.filter(schedule=OuterRef("pk")).order_by("-start_time", "-pk")
    wanted = SyncSchedule.objects.filter(pk__in=[one.pk for one in found]).order_by()
    last = wanted.values_list(Subquery(runs.values("pk")[:1]))
    rows = SyncHistory.objects.filter(pk__in=last)
    return {row.schedule_id: row for row in rows if row.schedule_id is not None}


def create(fields: Mapping[str, Any], *, change: ChangeRequest = UNSIGNED) -> SyncSchedule:
    """Errors: InvalidSchedule, ScheduleExists."""
    who = audit.signed(change).by
    schedule = fill(SyncSchedule(created_by=who, updated_by=who), fields)
    with transaction.atomic():
        _save(schedule, restarts=True)
        _note("schedule_create", schedule, change, after=to_fields(schedule))
    return schedule


def edit(
    schedule_id: int, fields: Mapping[str, Any], *, change: ChangeRequest = UNSIGNED
) -> SyncSchedule:
    """Change some fields. A new time counts from now on. Errors: ScheduleNotFound,
    InvalidSchedule, ScheduleExists."""
    with transaction.atomic():
        schedule = _locked(schedule_id)
        before = to_fields(schedule)
        fill(schedule, fields).updated_by = audit.signed(change).by
        after = to_fields(schedule)
        _save(schedule, restarts=_restarts(before, after))
        if after != before:
            _note("schedule_edit", schedule, change, before=before, after=after)
    return schedule


def set_enabled(
    schedule_id: int, enabled: bool, *, run_now: bool = False, change: ChangeRequest = UNSIGNED
) -> SyncSchedule:
    """Switch on or off. Switched on, it runs at its next time; ``run_now`` also at once. Errors:
    ScheduleNotFound, PoolUnavailable (only with ``run_now``)."""
    schedule = edit(schedule_id, {"enabled": enabled}, change=change)
    if enabled and run_now:
        run(schedule_id, change=change)
    return schedule


def delete(schedule_id: int, *, change: ChangeRequest = UNSIGNED) -> None:
    """Its runs stay in the history. Raises ScheduleNotFound."""
    with transaction.atomic():
        schedule = _locked(schedule_id)
        _note("schedule_delete", schedule, change, before=to_fields(schedule))
        schedule_beat.remove(schedule)


def run(schedule_id: int, *, change: ChangeRequest = UNSIGNED) -> str:
    """Run it now, beside its own times: the task's id, or an empty text for a direct run, which a
    Celery worker takes. Errors: ScheduleNotFound, PoolUnavailable."""
    schedule, who = get(schedule_id), audit.actor(change.by)
    task_id = ""
    if schedule.execution == SyncSchedule.Execution.POOL:
        task_id = schedule_runs.submit(get_worker_pool(), schedule, who)
    else:
        _send_direct(schedule, who)
    _note("schedule_run", schedule, change, after={"task_id": task_id or None})
    return task_id


def get(schedule_id: int) -> SyncSchedule:
    """Raises ScheduleNotFound."""
    return _one(SyncSchedule.objects.filter(pk=schedule_id), str(schedule_id))


def find(word: str) -> SyncSchedule:
    """By its id or its name. Raises ScheduleNotFound."""
    named = SyncSchedule.objects.filter(name=word.strip())
    if word.strip().isdecimal() and not named.exists():
        return get(int(word))
    return _one(named, repr(word))


def runs(schedule_id: int, *, limit: int = 20) -> list[SyncHistory]:
    """Its runs, the latest first. Raises ScheduleNotFound."""
    return list(get(schedule_id).runs.order_by("-start_time", "-pk")[:limit])


def preview(fields: Mapping[str, Any], *, count: int = SHOWN_RUNS) -> Preview:
    """Of a schedule that is not stored yet, as if it were switched on now. Raises
    InvalidSchedule."""
    schedule = fill(SyncSchedule(), fields)
    base = recurrence_of(schedule).base(timezone.now(), schedule.start_at)
    return _preview(schedule, base, count)


def preview_of(schedule: SyncSchedule, *, count: int = SHOWN_RUNS) -> Preview:
    """Of a stored one; no runs while it is switched off or after its end."""
    now, entry = timezone.now(), schedule.periodic_task
    if not schedule_beat.is_live(schedule, now) or entry is None or entry.last_run_at is None:
        return Preview(recurrence_of(schedule).words, ())
    return _preview(schedule, entry.last_run_at, count)


def to_dict(schedule: SyncSchedule) -> dict[str, Any]:
    """The JSON form: its fields, its times, its last run, who made it."""
    return to_dicts([schedule])[0]


def to_dicts(found: Sequence[SyncSchedule]) -> list[dict[str, Any]]:
    """The JSON form of several; so many queries, however many they are."""
    last = last_runs(found)
    return [_to_dict(one, last.get(one.pk)) for one in found]


def _to_dict(schedule: SyncSchedule, last: SyncHistory | None) -> dict[str, Any]:
    return {
        "id": schedule.pk,
        **to_fields(schedule),
        **preview_of(schedule).to_dict(),
        "last_run": run_to_dict(last) if last else None,
        "created_by": schedule.created_by,
        "updated_by": schedule.updated_by,
        "created_at": schedule.created_at.isoformat(),
        "updated_at": schedule.updated_at.isoformat(),
    }


def run_to_dict(row: SyncHistory) -> dict[str, Any]:
    """The JSON form of one run."""
    return {
        "history_id": row.pk,
        "task_id": row.worker_pool_task_id,
        "status": row.status,
        "started_at": row.start_time.isoformat(),
        "ended_at": row.end_time.isoformat() if row.end_time else None,
        "records_processed": row.records_processed,
        "error_message": mask(row.error_message) if row.error_message else None,
    }


def export_all() -> dict[str, Any]:
    """What ``import_all`` reads."""
    return {"schema": 1, "schedules": [to_fields(found) for found in SyncSchedule.objects.all()]}


def import_all(
    wanted: Sequence[Mapping[str, Any]],
    *,
    dry_run: bool = False,
    change: ChangeRequest = UNSIGNED,
) -> dict[str, int]:
    """Create those with new names, change those that are there; all or none. ``created``,
    ``changed``, ``unchanged``. Errors: InvalidSchedule that names the schedule."""
    counts = {"created": 0, "changed": 0, "unchanged": 0}
    with transaction.atomic():
        for fields in wanted:
            counts[_import_one(fields, change)] += 1
        transaction.set_rollback(dry_run)
    return counts


def judge(schedules: Sequence[SyncSchedule] | None = None) -> tuple[schedule_load.Finding, ...]:
    """What is wrong with the schedules together; with those that are stored unless given."""
    found = SyncSchedule.objects.all() if schedules is None else schedules
    limit = get_worker_pool().get_max_workers()
    return schedule_load.findings(schedule_load.plan(found), max_workers=limit)


def drafts(wanted: Sequence[Mapping[str, Any]]) -> list[SyncSchedule]:
    """Schedules as they would be, not stored. Raises InvalidSchedule."""
    return [fill(SyncSchedule(), fields) for fields in wanted]


def _import_one(fields: Mapping[str, Any], change: ChangeRequest) -> str:
    name = str(fields.get("name", "")).strip()
    there = SyncSchedule.objects.filter(name=name).first()
    try:
        if there is None:
            create(fields, change=change)
            return "created"
        before = to_fields(there)
        after = to_fields(edit(there.pk, fields, change=change))
    except InvalidSchedule as problem:
        raise InvalidSchedule(
            {f"{name or 'nameless'}, {k}": v for k, v in problem.fields.items()}
        ) from problem
    return "changed" if before != after else "unchanged"


def _save(schedule: SyncSchedule, *, restarts: bool) -> None:
    try:
        with transaction.atomic():
            schedule_beat.keep_in_step(schedule, restarts=restarts)
    except IntegrityError as problem:
        raise ScheduleExists(f"There is another schedule named {schedule.name!r}.") from problem


def _restarts(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    is_switched_on = after["enabled"] and not before["enabled"]
    return bool(is_switched_on or any(before.get(name) != after.get(name) for name in TIMING))


def _locked(schedule_id: int) -> SyncSchedule:
    return _one(SyncSchedule.objects.select_for_update().filter(pk=schedule_id), str(schedule_id))


def _one(rows: Any, named: str) -> SyncSchedule:
    schedule: SyncSchedule | None = rows.first()
    if schedule is None:
        raise ScheduleNotFound(f"There is no schedule {named}; 'list' shows them.")
    return schedule


def _send_direct(schedule: SyncSchedule, asked_by: str) -> None:
    kwargs = {"schedule_id": schedule.pk, "asked_by": asked_by}
    try:
        current_app.send_task(schedule_beat.TASK, kwargs=kwargs, ignore_result=True)
    except OperationalError as problem:
        raise PoolUnavailable(f"The broker did not take the run: {mask(str(problem))}") from problem


def _preview(schedule: SyncSchedule, base: datetime, count: int) -> Preview:
    """A run that is overdue comes at once, and once."""
    recurrence, now = recurrence_of(schedule), timezone.now()
    late: tuple[datetime, ...] = ()
    if recurrence.next_after(base) < now:
        late, base = (now,), now
    following = runs_after(recurrence, base, count=count - len(late), until=schedule.end_at)
    return Preview(recurrence.words, (*late, *following))


def _note(action: str, schedule: SyncSchedule, change: ChangeRequest, **told: Any) -> None:
    """By its name too: the record outlives the schedule."""
    why = f"{schedule.name}: {change.reason}" if change.reason else schedule.name
    audit.record(
        action, change=replace(change, reason=why), target=f"schedule {schedule.pk}", **told
    )
