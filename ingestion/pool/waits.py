"""Why a task waits, and when it will start: values that a snapshot carries for the tasks it shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ingestion.pool.task import WorkerTask


class ReasonCode(StrEnum):
    """What keeps a task from starting. Several may; this is the one that must end first."""

    HELD = "held"
    NOT_BEFORE = "not_before"
    POOL_PAUSED = "pool_paused"
    CRM_PAUSED = "crm_paused"
    NO_WORKER = "no_worker"
    DEGRADED = "degraded"
    CRM_LIMIT = "crm_limit"
    POOL_FULL = "pool_full"
    NEXT = "next"


@dataclass(frozen=True)
class Holder:
    """A running task that has a slot; ``worker`` is empty until one has taken it."""

    id: str
    route: str
    since: datetime | None
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "route": self.route,
            "since": _iso(self.since),
            "worker": self.worker,
        }


@dataclass(frozen=True)
class Reason:
    """``sentence`` is for people. ``since`` when it began; ``by`` who set it, ``until`` when it ends
    by itself; all three where that is known."""

    code: ReasonCode
    sentence: str
    holders: tuple[Holder, ...] = ()
    since: datetime | None = None
    by: str = ""
    until: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code.value,
            "sentence": self.sentence,
            "holders": [holder.to_dict() for holder in self.holders],
            "since": _iso(self.since),
            "by": self.by,
            "until": _iso(self.until),
        }


@dataclass(frozen=True)
class StartRange:
    """The start lies between these in most cases, as the queue stands; ``based_on`` says what was
    learned from."""

    earliest: datetime
    latest: datetime
    based_on: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "earliest": self.earliest.isoformat(),
            "latest": self.latest.isoformat(),
            "based_on": self.based_on,
        }


@dataclass(frozen=True)
class Explanation:
    """``position`` counts from 1 through the whole queue; None for a task that stands in no line:
    a held or delayed one. ``start`` is None where it cannot be known."""

    task: WorkerTask
    position: int | None
    reason: Reason
    start: StartRange | None

    def wait(self) -> dict[str, Any]:
        """The JSON form without the task."""
        return {
            "position": self.position,
            "reason": self.reason.to_dict(),
            "start": self.start.to_dict() if self.start else None,
        }

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.task.to_dict(), **self.wait()}


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
