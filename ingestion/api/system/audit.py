"""Who did what, when and why."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.http.requests import Cursor, Limit, Moment, Name
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.audit import AuditEntry
from ingestion.services.security import audit as records
from ingestion.services.security.access import Right

router = Router(tags=["audit"], auth=needs(Right.VIEW))


class AuditRecord(AuditEntry):
    """An entry with its id."""

    id: int


class AuditPage(ResponseBody):
    """``next_cursor`` is null at the end; ``actions`` are those that were ever recorded."""

    items: list[AuditRecord]
    next_cursor: str | None
    actions: list[str]


@router.get("/audit", operation_id="audit_list", response=documented(AuditPage))
def audit(
    request: HttpRequest,
    target: Name = "",
    action: Name = "",
    actor: Name = "",
    since: Moment | None = None,
    until: Moment | None = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> HttpResponse:
    """Records, the latest first. ``target`` is a task's id or what else was changed; of it and of
    ``actor`` a part is enough."""
    wanted = records.Search(action, actor, target, since, until)
    found, following = records.search(wanted, at=cursor, limit=limit)
    return respond(
        {
            "items": [{"id": record.pk, **records.to_dict(record)} for record in found],
            "next_cursor": following,
            "actions": records.actions(),
        }
    )
