"""What a submission must look like; builds the task of a good one, refuses a bad one by name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.module_loading import import_string

from ingestion.conf import pool_conf
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    InvalidParameters,
    InvalidPredecessor,
    InvalidPriority,
    InvalidSubmission,
    SecretInParameters,
)
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import (
    PRIORITY_MAX,
    PRIORITY_MIN,
    WorkerTask,
    is_task_id,
    plain,
    utc_now,
)
from ingestion.services.requests.routing import Route, resolve
from ingestion.services.requests.texts import checked_text, fault_of
from ingestion.services.security.secrets import find_secret, mask

LARGEST_PARAMETERS_BYTES = 64 * 1024
MOST_ATTEMPTS = 100
MOST_PREDECESSORS = 100
DEEPEST_PARAMETERS = 100
LONGEST_NAME, LONGEST_REASON = 200, 2000
# What every store and every zone can hold.
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Submission:
    """What somebody asks the pool to run. Nothing of it is checked before ``prepare``.

    Without a ``sync_type`` it is the CRM's ``all``. ``parameters``: the options of the sync as a
    JSON object, see ``IngestionAdapter.validate_parameters``. ``priority``: -1000 to 1000, the
    higher the sooner. ``max_attempts``: 1 to 100; None means WORKER_POOL_MAX_ATTEMPTS.
    ``not_before``: an aware datetime. ``requested_by`` and ``reason``: who and why, for the audit
    record.

    ``on_overlap`` says what becomes of a request that repeats another one, of the same CRM and type
    or its ``all``: ``allow``; ``reject`` raises Overlaps; ``coalesce`` lets a task that waits with
    equal parameters coalesce it, so that behind one that runs there is at most one more.

    ``after``: ids of tasks that must have completed before it may start, at most 100. Where one of
    them fails or is cancelled, it is cancelled.
    """

    crm_source: str
    sync_type: str | None = None
    parameters: Mapping[str, Any] | None = None
    priority: int = 0
    _: KW_ONLY
    requested_by: str = ""
    max_attempts: int | None = None
    not_before: datetime | None = None
    reason: str = ""
    on_overlap: OnOverlap | str = OnOverlap.ALLOW
    after: Collection[str] = ()

    @property
    def change(self) -> ChangeRequest:
        """Who asks, and why."""
        return ChangeRequest(by=self.requested_by, reason=self.reason)


ROUTED = frozenset({"crm_source", "sync_type"})
# What a task takes over from its submission as it stands; the rest follows from the route.
TAKEN_OVER = tuple(
    field.name
    for field in fields(Submission)
    if field.name in WorkerTask.__dataclass_fields__ and field.name not in ROUTED
)
# The fields of a task that its ledger row keeps beside its own columns.
KEPT = ("task_name", *TAKEN_OVER)


@dataclass(frozen=True)
class Prepared:
    """A good submission, as it is written down; the ``task`` to be stored, and how it was routed.
    ``asked_by``: who asks, where another thread may write it down."""

    submission: Submission
    task: WorkerTask
    route: Route
    asked_by: str = ""

    @property
    def on_overlap(self) -> OnOverlap:
        return OnOverlap(self.submission.on_overlap)

    @property
    def taken_over(self) -> dict[str, Any]:
        """What the task has of its submission, as JSON; few have predecessors."""
        found = {name: plain(getattr(self.task, name)) for name in TAKEN_OVER}
        return found if found["after"] else {n: v for n, v in found.items() if n != "after"}

    def configuration(self, taken_over: Mapping[str, Any]) -> dict[str, Any]:
        """What SyncHistory.configuration keeps: enough to build the task again."""
        return {
            "task_name": self.task.task_name,
            **taken_over,
            "asked": self.route.asked,
            "command": self.route.command,
            "reason": self.submission.reason,
        }


@dataclass(frozen=True)
class Submitted:
    """What became of a request: a ``task`` of its own, as it was stored, or the one that waited
    already and does the same, ``coalesced_into``."""

    task_id: str
    coalesced_into: str | None
    task: WorkerTask

    def to_dict(self) -> dict[str, Any]:
        """Without the task."""
        return {"task_id": self.task_id, "coalesced_into": self.coalesced_into, "error": None}


def prepare(asked: Submission, *, usual_attempts: int) -> Prepared:
    """Raises an InvalidSubmission whose message names what is allowed. ``usual_attempts`` count
    where the submission leaves them open. Whether it can follow its predecessors, the ledger says."""
    good = _checked(asked, usual_attempts)
    route = resolve(asked.crm_source, asked.sync_type)
    good = replace(good, priority=_decided_priority(good, route))
    task = WorkerTask(
        id=str(uuid.uuid4()),
        task_name=route.task_name,
        crm_source=route.crm_source,
        sync_type=route.sync_type,
        queued_at=utc_now(),
        **{name: getattr(good, name) for name in TAKEN_OVER if name != "after"},
        after=dict.fromkeys(good.after, ""),
    )
    return Prepared(good, task, route)


def _checked(asked: Submission, usual_attempts: int) -> Submission:
    attempts = usual_attempts if asked.max_attempts is None else asked.max_attempts
    return replace(
        asked,
        on_overlap=_checked_overlap(asked.on_overlap),
        parameters=checked_parameters(asked.parameters),
        priority=checked_priority(asked.priority),
        max_attempts=_checked_attempts(attempts),
        not_before=_checked_time(asked.not_before),
        after=_checked_predecessors(asked.after, asked.on_overlap),
        requested_by=mask(checked_text("requested_by", asked.requested_by, longest=LONGEST_NAME)),
        reason=mask(checked_text("The reason", asked.reason, longest=LONGEST_REASON)),
    )


def checked_parameters(parameters: object) -> dict[str, Any]:
    """A copy that is plain JSON. Raises InvalidParameters, SecretInParameters."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidParameters(
            f'Parameters must be a JSON object such as {{"full": true}}, not {_kind(parameters)}.'
        )
    found = _plain_json(parameters)
    if place := find_secret(found):
        raise SecretInParameters(
            f"The parameter {place!r} looks like a credential; credentials belong into the CRM's "
            "settings in .env or the environment."
        )
    return found


def _checked_overlap(on_overlap: object) -> OnOverlap:
    """Raises InvalidSubmission."""
    if on_overlap in list(OnOverlap):
        return OnOverlap(str(on_overlap))
    raise InvalidSubmission(
        f"on_overlap must be one of {', '.join(OnOverlap)}, not {str(on_overlap)[:50]!r}."
    )


def checked_priority(priority: object) -> int:
    """Raises InvalidPriority."""
    if type(priority) is int and PRIORITY_MIN <= priority <= PRIORITY_MAX:
        return priority
    raise InvalidPriority(
        f"The priority must be a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}, "
        f"the higher the sooner; it was {str(priority)[:50]!r}."
    )


def _decided_priority(good: Submission, route: Route) -> int:
    """As asked, or as the project's own function decides. Raises InvalidPriority."""
    path = pool_conf().priority_function
    if not path:
        return good.priority
    asked = replace(good, crm_source=route.crm_source, sync_type=route.sync_type)
    try:
        return checked_priority(import_string(path)(asked))
    except InvalidPriority as problem:
        raise InvalidPriority(f"{path} has returned no priority. {problem}") from problem
    except Exception as problem:  # the function is the project's own and may raise anything
        said = mask(f"{type(problem).__name__}: {problem}")[:LONGEST_REASON]
        raise InvalidPriority(f"{path} could not decide the priority: {said}") from problem


def _plain_json(parameters: dict[Any, Any]) -> dict[str, Any]:
    for name in parameters:
        if not isinstance(name, str):
            raise InvalidParameters(f"The names of parameters must be texts, not {name!r}.")
    try:
        text = json.dumps(parameters, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise InvalidParameters(
            f"Parameters must be JSON (texts, numbers, true, false, null, lists, objects): {problem}."
        ) from problem
    if len(text) > LARGEST_PARAMETERS_BYTES:
        raise InvalidParameters(
            f"Parameters may have {LARGEST_PARAMETERS_BYTES} bytes as JSON; these have {len(text)}."
        )
    if "\\u0000" in text:
        raise InvalidParameters("Parameters must not hold the character NUL; databases refuse it.")
    if fault := fault_of(json.dumps(parameters, ensure_ascii=False)):
        raise InvalidParameters(f"Parameters {fault}.")
    found: dict[str, Any] = json.loads(text)
    if _is_deeper(found, than=DEEPEST_PARAMETERS):
        raise InvalidParameters(f"Parameters may be nested {DEEPEST_PARAMETERS} levels deep.")
    return found


def _is_deeper(value: object, *, than: int) -> bool:
    level: list[object] = [value]
    for _ in range(than + 1):
        level = [item for found in level for item in _items(found)]
        if not level:
            return False
    return True


def _items(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _checked_attempts(max_attempts: object) -> int:
    if type(max_attempts) is int and 1 <= max_attempts <= MOST_ATTEMPTS:
        return max_attempts
    raise InvalidSubmission(f"max_attempts must be a whole number from 1 to {MOST_ATTEMPTS}.")


def _checked_time(not_before: object) -> datetime | None:
    if not_before is None:
        return None
    if not isinstance(not_before, datetime) or not_before.tzinfo is None:
        raise InvalidSubmission("not_before must be a datetime with a time zone.")
    if not EARLIEST <= not_before <= LATEST:
        raise InvalidSubmission(
            f"not_before must lie between the years {EARLIEST.year} and {LATEST.year}."
        )
    return not_before.astimezone(UTC)


def _checked_predecessors(after: object, on_overlap: object) -> tuple[str, ...]:
    """Raises InvalidPredecessor."""
    if not isinstance(after, list | tuple | set | frozenset) or not all(map(is_task_id, after)):
        raise InvalidPredecessor('after must be a list of task ids such as ["0b0c…"].')
    found = tuple(dict.fromkeys(after))
    if len(found) > MOST_PREDECESSORS:
        raise InvalidPredecessor(
            f"after may name {MOST_PREDECESSORS} tasks; these are {len(found)}."
        )
    if found and on_overlap == OnOverlap.COALESCE:
        raise InvalidPredecessor(
            "A task that waits for others (after) cannot be coalesced with one that does not; "
            "on_overlap must be allow or reject."
        )
    return found


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", bool: "a boolean"}.get(type(value), type(value).__name__)
