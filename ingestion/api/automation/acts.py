"""What the rules found, and the decisions on it."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from ingestion.api.http.requests import (
    LARGEST_ID,
    Cursor,
    Key,
    Limit,
    Name,
    ReasonBody,
    RequestBody,
    perform,
)
from ingestion.api.http.responses import ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.models import RuleAct
from ingestion.services.automation import engine
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["automation"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

Content = dict[str, Any]
ActId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class Act(ResponseBody):
    """What a rule found at a time, and what became of it. ``figures`` are what it judged by,
    ``result`` what the action brought; each rule has its own."""

    id: int
    at: Time
    rule: str
    crm_source: str
    subject: str
    sentence: str
    figures: dict[str, Any]
    outcome: Annotated[str, one_of(RuleAct.Outcome)]
    acted_at: Time | None
    actor: str
    result: dict[str, Any]


class ActPage(ResponseBody):
    """``next_cursor`` is null at the end."""

    items: list[Act]
    next_cursor: str | None


class RulesRun(ResponseBody):
    acts: list[Act]


class OneAct(ResponseBody):
    act: Act


class RunRules(RequestBody):
    """Nothing has to be sent."""


@router.get(
    "/automation/acts", operation_id="automation_acts", response=documented(ActPage), auth=VIEW
)
def acts(
    request: HttpRequest,
    rule: Name = "",
    open: bool = False,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> HttpResponse:
    """What the rules found, the latest first. ``open``: only what awaits approval."""
    found, following = engine.acts(rule=rule, is_open=open, at=cursor, limit=limit)
    return respond({"items": [engine.to_dict(act) for act in found], "next_cursor": following})


@router.post(
    "/automation/run",
    operation_id="automation_run",
    response=documented(RulesRun, 409),
    auth=SCHEDULE,
)
def run_rules(request: HttpRequest, body: RunRules, key: Key = None) -> HttpResponse:
    """Run all rules now: they act where they may. Returns what they found this time."""

    def action() -> Content:
        found = engine.run_rules(get_worker_pool())
        return {"acts": [engine.to_dict(act) for act in found]}

    return perform(request, key, action)


@router.post(
    "/automation/acts/{act_id}/approve",
    operation_id="automation_approve",
    response=documented(OneAct, 404, 409),
    auth=SCHEDULE,
)
def approve(request: HttpRequest, act_id: ActId, body: ReasonBody, key: Key = None) -> HttpResponse:
    """Do what a rule asked for; ``outcome`` is what became of it."""

    def action() -> Content:
        act = engine.approve(act_id, get_worker_pool(), change=body.change(request))
        return {"act": engine.to_dict(act)}

    return perform(request, key, action)


@router.post(
    "/automation/acts/{act_id}/dismiss",
    operation_id="automation_dismiss",
    response=documented(OneAct, 404, 409),
    auth=SCHEDULE,
)
def dismiss(request: HttpRequest, act_id: ActId, body: ReasonBody, key: Key = None) -> HttpResponse:
    """Do not do what a rule asked for."""

    def action() -> Content:
        act = engine.dismiss(act_id, change=body.change(request))
        return {"act": engine.to_dict(act)}

    return perform(request, key, action)
