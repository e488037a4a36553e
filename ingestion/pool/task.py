"""A task of the pool: its fields, its states and its stored form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Self

from ingestion.pool.errors import UnreadableTask

PRIORITY_MIN, PRIORITY_MAX = -1000, 1000

# What older versions called a field, and what it is called now.
OLD_NAMES = {"configuration": "parameters", "submitted_at": "queued_at"}


LONGEST_ID = 64
# So many followers are kept with a task; a round of repairs looks after those beyond.
MOST_FOLLOWERS = 100


class TaskStatus(StrEnum):
    """Where a task stands. A member equals its string, because callers write both."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


def utc_now() -> datetime:
    return datetime.now(UTC)


def is_task_id(value: object) -> bool:
    """Whether a task may be called so: what is no text, or none that a database takes, is not
    looked for."""
    return isinstance(value, str) and len(value) <= LONGEST_ID and value.isprintable()


@dataclass
class WorkerTask:
    """One request to run one sync. All times are aware datetimes in UTC.

    ``attempt`` counts from 1 with the first claim and is the fencing token of that attempt.
    ``progress`` and ``result`` hold numbers and short strings only, never records.

    ``revision`` rises by one with each change of state, place or priority. A QUEUED task with
    ``held_at`` waits until it is let go. ``front_score`` is the place of one that was moved to
    the front; without it, its submission and its priority say where it stands.

    A QUEUED task with ``after`` waits until these have completed, each by its id with its route;
    what has completed is taken out. ``followers``: the tasks that waited for it while it was open,
    in the same form, at most MOST_FOLLOWERS of them.
    """

    id: str
    task_name: str
    crm_source: str
    sync_type: str
    parameters: dict[str, Any] = field(default_factory=dict)
    status: TaskStatus = TaskStatus.QUEUED
    priority: int = 0
    queued_at: datetime = field(default_factory=utc_now)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    celery_task_id: str | None = None
    error_message: str | None = None
    last_heartbeat: datetime | None = None
    attempt: int = 0
    max_attempts: int = 1
    worker: str | None = None
    confirmed_at: datetime | None = None
    lease_expires_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    not_before: datetime | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    requested_by: str = ""
    sync_history_id: int | None = None
    revision: int = 0
    held_at: datetime | None = None
    held_by: str = ""
    held_reason: str = ""
    front_score: int | None = None
    after: dict[str, str] = field(default_factory=dict)
    followers: dict[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, Any]:
        """The name older callers use for ``parameters``."""
        return self.parameters

    @property
    def submitted_at(self) -> datetime:
        """The name older callers use for ``queued_at``."""
        return self.queued_at

    @property
    def is_held(self) -> bool:
        return self.held_at is not None

    @property
    def held_place(self) -> datetime | None:
        """Its place among those that no free slot lets start: when it was held, or its submission
        while it waits for other tasks; None for one that does neither."""
        return self.held_at or (self.queued_at if self.after else None)

    @property
    def route(self) -> str:
        """``crm.type``, as pages and logs show it."""
        return f"{self.crm_source}.{self.sync_type}"

    def queued_again(self, queued_at: datetime) -> Self:
        """The task as it waits for its next attempt, nothing left of an earlier one but its
        number and a request to cancel."""
        return replace(
            self,
            status=TaskStatus.QUEUED,
            queued_at=queued_at,
            started_at=None,
            completed_at=None,
            celery_task_id=None,
            error_message=None,
            last_heartbeat=None,
            worker=None,
            confirmed_at=None,
            lease_expires_at=None,
            progress={},
            result={},
        )

    def restored(self, queued_at: datetime) -> Self:
        """As ``queued_again``, with a higher revision: operators see that it was restored."""
        return replace(self.queued_again(queued_at), revision=self.revision + 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: times as ISO 8601 with zone, the status as its string."""
        return {name: plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read a stored form of this or an older version; unknown fields are ignored.

        Raises UnreadableTask when a required field is missing or a value cannot be understood.
        """
        known = cls.__dataclass_fields__
        named = {OLD_NAMES.get(name, name): value for name, value in stored.items()}
        if not named.get("queued_at"):
            named.pop("queued_at", None)
        try:
            return cls(
                **{k: READ[k](v) if k in READ else v for k, v in named.items() if k in known}
            )
        except (TypeError, ValueError, OverflowError, AttributeError) as problem:
            raise UnreadableTask(f"task {stored.get('id', '?')}: {problem}") from problem


TIME_FIELDS = frozenset(
    {
        "queued_at",
        "started_at",
        "completed_at",
        "last_heartbeat",
        "confirmed_at",
        "lease_expires_at",
        "cancel_requested_at",
        "not_before",
        "held_at",
    }
)
NAME_FIELDS = frozenset({"id", "task_name", "crm_source", "sync_type"})
INT_FIELDS = frozenset({"priority", "attempt", "max_attempts", "revision"})
OPTIONAL_INT_FIELDS = frozenset({"sync_history_id", "front_score"})
DICT_FIELDS = frozenset({"parameters", "progress", "result", "after", "followers"})


def plain(value: Any) -> Any:
    """A value in its JSON form."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.value if isinstance(value, TaskStatus) else value


def _status(value: Any) -> TaskStatus:
    return TaskStatus(getattr(value, "value", value))


def _name(field_name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field_name} must be a text, found {value!r}")
    return value


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"expected an object, found {type(value).__name__}")
    return dict(value)


def _time(value: Any) -> datetime | None:
    """An old time without a zone was written as UTC."""
    if value is None or value == "":
        return None
    when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


# Fields that may have been stored in another form.
READ: Mapping[str, Callable[[Any], Any]] = {
    "status": _status,
    **{name: partial(_name, name) for name in NAME_FIELDS},
    **dict.fromkeys(TIME_FIELDS, _time),
    **dict.fromkeys(INT_FIELDS, int),
    **dict.fromkeys(OPTIONAL_INT_FIELDS, _optional_int),
    **dict.fromkeys(DICT_FIELDS, _mapping),
}
