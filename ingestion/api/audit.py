"""Who did what, when and why."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from ingestion.api.answers import documented
from ingestion.api.given import Cursor, Limit, Moment, Name
from ingestion.api.security import needs
from ingestion.services import audit as records
from ingestion.services.access import Right

router = Router(tags=["audit"], auth=needs(Right.VIEW))


class RecordList(Schema):
    """``next_cursor`` is None at the end."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    actions: list[str]


@router.get("/audit", response=documented(RecordList))
def audit(
    request: HttpRequest,
    target: Name = "",
    action: Name = "",
    actor: Name = "",
    since: Moment | None = None,
    until: Moment | None = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """Records, the latest first. ``target`` is a task's id or what else was changed; of it and of
    ``actor`` a part is enough."""
    wanted = records.Search(action, actor, target, since, until)
    found, following = records.search(wanted, at=cursor, limit=limit)
    return {
        "items": [{"id": record.pk, **records.to_dict(record)} for record in found],
        "next_cursor": following,
        "actions": records.actions(),
    }
