"""The same deed on all tasks that a filter finds or that are named, as the caller saw them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import AfterValidator, Field

from ingestion.api.answers import documented
from ingestion.api.given import Given, Key, Name, Priority, Why, done, storable
from ingestion.api.security import caller, needs
from ingestion.services import task_list
from ingestion.services.access import Right
from ingestion.services.selection import TaskFilter
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["bulk"], auth=needs(Right.OPERATE))
SAMPLE = 10
# The doors of single tasks have the same words.
ACTIONS = {"priority": "prioritize", "front": "move_to_front"}
MOST_NAMED = 500
OneId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]


class Filter(Given):
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
        return TaskFilter(**{**self.dict(), "ids": ids})


class Preview(Why):
    """What is to be done, and with which tasks."""

    action: Literal["cancel", "hold", "release", "priority", "front"]
    filter: Filter
    priority: Priority | None = None


class Bulk(Preview):
    """``digest`` as the preview told it: a 409 when something else matches by now."""

    digest: Annotated[str, Field(max_length=64)]


class Found(Schema):
    """``count`` are those that the action changes: what runs is only cancelled. ``sample`` are the
    first of them."""

    count: int
    digest: str
    sample: list[dict[str, Any]]


class Done(Schema):
    """``conflicts`` are the ids of tasks that had changed meanwhile and were left alone."""

    done: int
    conflicts: list[str]


@router.post("/bulk/preview", response=documented(Found))
def preview(request: HttpRequest, given: Preview) -> dict[str, Any]:
    """How many tasks match; changes nothing."""
    found = get_worker_pool().select(given.filter.chosen())
    meant = found.meant_by(ACTIONS.get(given.action, given.action))
    sample = [task_list.shown(task) for task in meant[:SAMPLE]]
    return {"count": len(meant), "digest": found.digest, "sample": sample}


@router.post("/bulk", response=documented(Done, 409))
def bulk(request: HttpRequest, given: Bulk, key: Key = None) -> HttpResponse:
    """Do it with all that match, each only as it was seen."""

    def do() -> dict[str, Any]:
        made = get_worker_pool().bulk(
            ACTIONS.get(given.action, given.action),
            given.filter.chosen(),
            digest=given.digest,
            actor=caller(request).name,
            reason=given.reason,
            priority=given.priority,
        )
        return made.to_dict()

    return done(request, key, do)
