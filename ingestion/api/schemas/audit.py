"""Who did what, when and why."""

from __future__ import annotations

from typing import Any

from ingestion.api.http.responses import ResponseBody, Time


class AuditEntry(ResponseBody):
    """``target`` is a task's id or what else was changed; ``before`` and ``after`` are its JSON, as
    far as the action changed it."""

    at: Time
    action: str
    actor: str
    target: str
    reason: str
    before: Any
    after: Any
