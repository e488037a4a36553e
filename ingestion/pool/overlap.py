"""When two requests do the same work: of one CRM and type, or one of the two is its ``all``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ingestion.pool.task import WorkerTask

ALL = "all"
SHORT_LENGTH = 16
# Before the text of a task that waits for others; no CRM begins so.
FOLLOWS = "+"


class OnOverlap(StrEnum):
    """What becomes of a request that would repeat another one. ``allow``: both run. ``reject``: it
    is refused. ``coalesce``: a QUEUED task with equal parameters takes its place."""

    ALLOW = "allow"
    COALESCE = "coalesce"
    REJECT = "reject"


def parameters_digest(parameters: Mapping[str, Any]) -> str:
    """Equal for equal parameters, in whatever order they were given."""
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def short_digest(parameters: Mapping[str, Any]) -> str:
    """The beginning of the digest, 64 bits of it; '' without parameters. Redis keeps it with every
    task that waits."""
    return parameters_digest(parameters)[:SHORT_LENGTH] if parameters else ""


def overlap_key(task: WorkerTask) -> str:
    """What a request is for, as a text: CRM, type, parameters. A prefix of it stands for all
    requests of that CRM, or of that CRM and type."""
    return f"{task.crm_source}|{task.sync_type}|{short_digest(task.parameters)}|"


def overlap_member(task: WorkerTask) -> str:
    """A waiting task in the index of overlaps. One that waits for others is not found by what it is
    for: nobody knows when it will start, and whether it will at all."""
    return f"{FOLLOWS if task.after else ''}{overlap_key(task)}{task.id}"


def do_overlap(one: WorkerTask, other: WorkerTask) -> bool:
    """Whether two requests do the same work, whatever their parameters."""
    types = {one.sync_type, other.sync_type}
    return one.crm_source == other.crm_source and (len(types) == 1 or ALL in types)


def can_coalesce(waiting: WorkerTask, new: WorkerTask) -> bool:
    """Whether a queued task does all that the new one would do."""
    return (
        waiting.crm_source == new.crm_source
        and waiting.sync_type in (new.sync_type, ALL)
        and parameters_digest(waiting.parameters) == parameters_digest(new.parameters)
    )
