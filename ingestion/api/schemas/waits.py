"""Why a task waits, and when it will start."""

from __future__ import annotations

from typing import Annotated

from ingestion.api.http.responses import ResponseBody, Time, one_of
from ingestion.pool.waits import ReasonCode


class Holder(ResponseBody):
    """A running task that occupies a slot; ``worker`` is empty until one has taken it."""

    id: str
    route: str
    since: Time | None
    worker: str


class WaitReason(ResponseBody):
    """``sentence`` is for people. ``by`` is empty and ``since`` and ``until`` null where nobody set it."""

    code: Annotated[str, one_of(ReasonCode)]
    sentence: str
    holders: list[Holder]
    since: Time | None
    by: str
    until: Time | None


class StartRange(ResponseBody):
    """The start lies between these in most cases; ``based_on`` is what it was learned from."""

    earliest: Time
    latest: Time
    based_on: str


class Wait(ResponseBody):
    """``position`` counts from 1; null for a held or delayed task. ``start`` is null where it cannot
    be known."""

    position: int | None
    reason: WaitReason
    start: StartRange | None
