"""Limits and pauses that operators set."""

from __future__ import annotations

from ingestion.api.http.responses import ResponseBody, Time


class Control(ResponseBody):
    """``value``: of a limit, how many may run at once; of a pause, 1. It ends by itself at
    ``expires_at``; null: it does not."""

    value: int
    set_by: str
    set_at: Time | None
    reason: str
    expires_at: Time | None


class PriorityAging(ResponseBody):
    """``seconds`` of waiting are worth one level of priority; 0: priority is strict. While
    ``is_rescoring`` waiting tasks are put into a new order, and nothing starts."""

    seconds: float
    revision: int
    set_by: str
    set_at: Time | None
    reason: str
    is_rescoring: bool


class Controls(ResponseBody):
    """What is set: null or left out where the settings hold. Those of CRMs by their name."""

    max_workers: Control | None
    crm_limits: dict[str, Control]
    pause: Control | None
    crm_pauses: dict[str, Control]
    priority_aging: PriorityAging


class LimitOrigin(ResponseBody):
    """Who set the limit in force; ``set_at`` is null while the setting holds."""

    set_by: str
    set_at: Time | None
    reason: str
    expires_at: Time | None
