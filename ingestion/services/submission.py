"""What a submission must look like; builds the task of a good one, refuses a bad one by name."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingestion.pool.errors import (
    InvalidParameters,
    InvalidPriority,
    InvalidSubmission,
    SecretInParameters,
)
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import PRIORITY_MAX, PRIORITY_MIN, WorkerTask, utc_now
from ingestion.services.routing import Route, resolve
from ingestion.services.secrets import find_secret, mask

LARGEST_PARAMETERS_BYTES = 64 * 1024
MOST_ATTEMPTS = 100
LONGEST_NAME = 200
# The fields of a task that its ledger row keeps beside its own columns.
KEPT = ("task_name", "parameters", "priority", "max_attempts", "not_before", "requested_by")


@dataclass(frozen=True)
class Submission:
    """A good submission: the task to be stored, and how it was routed."""

    task: WorkerTask
    route: Route
    reason: str = ""

    def configuration(self) -> dict[str, Any]:
        """What SyncHistory.configuration keeps: enough to build the task again."""
        task = self.task.to_dict()
        return {
            **{name: task[name] for name in KEPT},
            "asked": self.route.asked,
            "command": self.route.command,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Submitted:
    """What became of a request: a ``task`` of its own, as it was stored, or the one that waited
    already and does the same, ``absorbed_by``."""

    task_id: str
    absorbed_by: str | None
    task: WorkerTask


def prepare(
    crm_source: str,
    sync_type: str | None,
    parameters: object,
    priority: object,
    *,
    requested_by: str,
    max_attempts: int,
    not_before: datetime | None,
    reason: str,
) -> Submission:
    """Raises an InvalidSubmission whose message names what is allowed."""
    checked = checked_parameters(parameters)
    level = checked_priority(priority)
    attempts = _checked_attempts(max_attempts)
    earliest = _checked_time(not_before)
    route = resolve(crm_source, sync_type)
    task = WorkerTask(
        id=str(uuid.uuid4()),
        task_name=route.task_name,
        crm_source=route.crm_source,
        sync_type=route.sync_type,
        parameters=checked,
        priority=level,
        queued_at=utc_now(),
        max_attempts=attempts,
        not_before=earliest,
        requested_by=mask(requested_by)[:LONGEST_NAME],
    )
    return Submission(task, route, mask(reason))


def checked_parameters(parameters: object) -> dict[str, Any]:
    """A copy that is plain JSON. Raises InvalidParameters, SecretInParameters."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidParameters(
            f'Parameters must be a JSON object such as {{"full": true}}, not {_kind(parameters)}.'
        )
    plain = _plain_json(parameters)
    if place := find_secret(plain):
        raise SecretInParameters(
            f"The parameter {place!r} looks like a credential; credentials belong into the CRM's "
            "settings in .env or the environment."
        )
    return plain


def checked_overlap(on_overlap: object) -> OnOverlap:
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


def _plain_json(parameters: dict[Any, Any]) -> dict[str, Any]:
    if not_text := next((name for name in parameters if not isinstance(name, str)), None):
        raise InvalidParameters(f"The names of parameters must be texts, not {not_text!r}.")
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
    plain: dict[str, Any] = json.loads(text)
    return plain


def _checked_attempts(max_attempts: object) -> int:
    if type(max_attempts) is int and 1 <= max_attempts <= MOST_ATTEMPTS:
        return max_attempts
    raise InvalidSubmission(f"max_attempts must be a whole number from 1 to {MOST_ATTEMPTS}.")


def _checked_time(not_before: object) -> datetime | None:
    if not_before is None:
        return None
    if isinstance(not_before, datetime) and not_before.tzinfo is not None:
        return not_before.astimezone(UTC)
    raise InvalidSubmission("not_before must be a datetime with a time zone.")


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", bool: "a boolean"}.get(type(value), type(value).__name__)
