"""The same action on all tasks that a filter finds or that are named, as the caller saw them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import AfterValidator, BeforeValidator, Field

from ingestion.api.http.old_names import current_action
from ingestion.api.http.requests import (
    Key,
    Name,
    Priority,
    ReasonBody,
    RequestBody,
    perform,
    storable,
)
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.tasks import ListedTask
from ingestion.services.reporting import task_list
from ingestion.services.security.access import Right
from ingestion.services.tasks.bulk import TaskFilter
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["bulk"], auth=needs(Right.OPERATE))
SAMPLE = 10
MOST_NAMED = 500
Action = Annotated[
    Literal["cancel", "hold", "release", "prioritize", "move_to_front"],
    BeforeValidator(current_action),
]
OneId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]


class BulkFilter(RequestBody):
    """What is left out is not asked; without anything all open tasks are meant. ``ids``: these
    tasks alone, as long as they are open."""

    crm_source: Name | None = None
    sync_type: Name | None = None
    status: Literal["queued", "delayed", "held", "running"] | None = None
    older_than_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None
    requested_by: Name | None = None
    ids: Annotated[list[OneId], Field(max_length=MOST_NAMED)] | None = None

    def chosen(self) -> TaskFilter:
        ids = None if self.ids is None else tuple(self.ids)
        return TaskFilter(**{**self.model_dump(), "ids": ids})


class BulkPreview(ReasonBody):
    """The action, and the tasks it is for."""

    action: Action
    filter: BulkFilter
    priority: Priority | None = None


class BulkAction(BulkPreview):
    """``digest`` as the preview returned it: a 409 when something else matches by now."""

    digest: Annotated[str, Field(max_length=64)]


class BulkFound(ResponseBody):
    """``count`` are those that the action changes: what runs is only cancelled. ``sample`` are the
    first of them."""

    count: int
    digest: str
    sample: list[ListedTask]


class BulkDone(ResponseBody):
    """``conflicts`` are the ids of tasks that had changed meanwhile and were left alone."""

    done: int
    conflicts: list[str]


@router.post("/bulk/preview", operation_id="bulk_preview", response=documented(BulkFound))
def preview(request: HttpRequest, body: BulkPreview) -> HttpResponse:
    """How many tasks match; changes nothing."""
    found = get_worker_pool().select(body.filter.chosen())
    meant = found.meant_by(body.action)
    sample = [task_list.shown(task) for task in meant[:SAMPLE]]
    return respond({"count": len(meant), "digest": found.digest, "sample": sample})


@router.post("/bulk", operation_id="bulk_apply", response=documented(BulkDone, 409))
def bulk(request: HttpRequest, body: BulkAction, key: Key = None) -> HttpResponse:
    """Do it with all that match, each only as it was seen."""

    def action() -> dict[str, Any]:
        made = get_worker_pool().bulk(
            body.action,
            body.filter.chosen(),
            digest=body.digest,
            change=body.change(request),
            priority=body.priority,
        )
        return made.to_dict()

    return perform(request, key, action)
