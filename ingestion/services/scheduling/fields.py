"""What a schedule may say: its fields from JSON or a form, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ingestion.models import SyncSchedule
from ingestion.pool.errors import InvalidSubmission
from ingestion.services.beat.recurrence import CRON_FIELDS, WrongRecurrence, recurrence_of
from ingestion.services.requests import sync_commands
from ingestion.services.requests.routing import (
    Route,
    known_crms,
    normalize_source,
    normalize_sync_type,
    routes,
)
from ingestion.services.requests.submission import checked_parameters, checked_priority
from ingestion.services.scheduling.errors import InvalidSchedule
from ingestion.sync.common.errors import did_you_mean

TIMING = ("recurrence", "every", "period", *CRON_FIELDS, "timezone", "start_at", "end_at")
FIELDS = (
    "name",
    "crm_source",
    "model_name",
    "mode",
    "options",
    "execution",
    "priority",
    *TIMING,
    "enabled",
)
LONGEST_NAME = 150
# A schedule says these by its field ``mode``.
MODE_OPTIONS = ("mode", "full", "force7")


def fill(schedule: SyncSchedule, fields: Mapping[str, Any]) -> SyncSchedule:
    """Set what is given, check all of it. Raises InvalidSchedule that names every wrong field."""
    if unknown := sorted(fields.keys() - set(FIELDS)):
        raise InvalidSchedule(
            {name: f"is unknown; known are {', '.join(FIELDS)}." for name in unknown}
        )
    for name, value in fields.items():
        setattr(schedule, name, value)
    if wrong := _wrong(schedule):
        raise InvalidSchedule(wrong)
    return schedule


def to_fields(schedule: SyncSchedule) -> dict[str, Any]:
    """As ``fill`` takes them and an export keeps them: JSON, without what the recurrence does not
    use."""
    unused = CRON_FIELDS if _is_interval(schedule) else ("every", "period")
    kept = {name: getattr(schedule, name) for name in FIELDS if name not in unused}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in kept.items()
    }


def parameters_of(schedule: SyncSchedule) -> dict[str, Any]:
    """What its runs are given; equal to those of a run by hand, so that the two may be one."""
    usual = schedule.mode == SyncSchedule.Mode.DELTA
    return {**schedule.options, **({} if usual else {"mode": str(schedule.mode)})}


def _wrong(schedule: SyncSchedule) -> dict[str, str]:
    checks = (_name, _route, _choices, _options, _priority, _timing, _span, _enabled)
    found: dict[str, str] = {}
    for check in checks:
        found |= {name: why for name, why in check(schedule).items() if name not in found}
    return found


def _name(schedule: SyncSchedule) -> dict[str, str]:
    name = schedule.name.strip() if isinstance(schedule.name, str) else ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        return {"name": f"must be a text of 1 to {LONGEST_NAME} printable characters."}
    schedule.name = name
    return {}


def _route(schedule: SyncSchedule) -> dict[str, str]:
    """A schedule names a route itself: what an unknown type would run may be much more."""
    try:
        source = normalize_source(schedule.crm_source)
        model = normalize_sync_type(source, schedule.model_name)
    except InvalidSubmission as problem:
        return {"model_name": str(problem)}
    served = [known for crm, known in routes() if crm == source]
    if not served:
        known = known_crms()
        near = did_you_mean(source, known)
        return {"crm_source": f"is unknown{near}; known are {', '.join(known)}."}
    if model not in served:
        near = did_you_mean(model, served)
        return {"model_name": f"is unknown{near}; {source} has {', '.join(served)}."}
    schedule.crm_source, schedule.model_name = source, model
    return {}


def _choices(schedule: SyncSchedule) -> dict[str, str]:
    allowed = {
        "mode": SyncSchedule.Mode.values,
        "execution": SyncSchedule.Execution.values,
        "recurrence": SyncSchedule.Recurrence.values,
    }
    return {
        name: f"must be one of {', '.join(values)}."
        for name, values in allowed.items()
        if getattr(schedule, name) not in values
    }


def _options(schedule: SyncSchedule) -> dict[str, str]:
    """By the command itself, now and not at night."""
    try:
        schedule.options = checked_parameters(schedule.options)
        if said := [name for name in MODE_OPTIONS if name in schedule.options]:
            return {"options": f"{', '.join(said)}: say it by the field mode."}
        route = Route(schedule.crm_source, schedule.model_name, schedule.model_name)
        if route.command in routes().values():
            sync_commands.validate(route.command, parameters_of(schedule))
    except InvalidSubmission as problem:
        return {"options": str(problem)}
    return {}


def _priority(schedule: SyncSchedule) -> dict[str, str]:
    try:
        checked_priority(schedule.priority)
    except InvalidSubmission as problem:
        return {"priority": str(problem)}
    return {}


def _timing(schedule: SyncSchedule) -> dict[str, str]:
    try:
        recurrence_of(schedule)
    except WrongRecurrence as problem:
        return {problem.field: str(problem)}
    return {}


def _span(schedule: SyncSchedule) -> dict[str, str]:
    wrong = {name: why for name in ("start_at", "end_at") if (why := _set_moment(schedule, name))}
    if not wrong and schedule.start_at and schedule.end_at and schedule.end_at <= schedule.start_at:
        return {"end_at": "must be after start_at."}
    return wrong


def _set_moment(schedule: SyncSchedule, name: str) -> str:
    """Texts are ISO 8601; a time without a zone is UTC."""
    value = getattr(schedule, name)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and value else value
    except ValueError:
        moment = value
    if moment and not isinstance(moment, datetime):
        return f"{value!r} must be a time such as 2026-01-31T06:00:00Z."
    setattr(schedule, name, _aware(moment) if moment else None)
    return ""


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _enabled(schedule: SyncSchedule) -> dict[str, str]:
    return {} if isinstance(schedule.enabled, bool) else {"enabled": "must be true or false."}


def _is_interval(schedule: SyncSchedule) -> bool:
    return bool(schedule.recurrence == SyncSchedule.Recurrence.INTERVAL)
