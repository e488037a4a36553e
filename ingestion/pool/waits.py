"""Why a task waits, and when it will start: the parts of an ``Explanation``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ReasonCode(StrEnum):
    """What keeps a task from starting. Several may; this is the one that must end first."""

    HELD = "held"
    AFTER = "after"
    NOT_BEFORE = "not_before"
    POOL_PAUSED = "pool_paused"
    CRM_PAUSED = "crm_paused"
    NO_WORKER = "no_worker"
    UNKNOWN_TO_WORKERS = "unknown_to_workers"
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
    """``sentence`` is for people. ``since`` when it began; ``by`` who set it, ``until`` when it
    ends by itself; all three where that is known."""

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


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
