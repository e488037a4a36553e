"""The rules of the automation, what they found, and the reports."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema
from pydantic import Field

from ingestion.api.answers import documented
from ingestion.api.given import LARGEST_ID, Cursor, Given, Key, Limit, Name, Why, done
from ingestion.api.security import caller, needs
from ingestion.models.automation import Level
from ingestion.services.access import Right
from ingestion.services.automation import engine, report, reporting
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["automation"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

Content = dict[str, Any]
RuleName = Annotated[str, Path(max_length=50)]
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Count = Annotated[int, Field(ge=0, le=100_000, strict=True)]
LONGEST_HOURS = 31 * 24


class Page(Schema):
    """``next_cursor`` is None at the end."""

    items: list[Content]
    next_cursor: str | None


class Setting(Why):
    """For one CRM, or for all of them. What is left out stays."""

    crm_source: Name = ""
    enabled: bool = True
    level: Level = Level.ASK
    cooldown_minutes: Count = 60
    hourly_limit: Count = 4


class Span(Given):
    """How far to look back."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_HOURS, strict=True)] = 12


@router.get("/automation/rules", response=documented(Content), auth=VIEW)
def rules(request: HttpRequest) -> Content:
    """Every rule with its setting for all CRMs, and what CRMs have of their own."""
    return {"rules": list(engine.settings_in_force())}


@router.patch("/automation/rules/{rule}", response=documented(Content, 404, 409), auth=SCHEDULE)
def set_rule(request: HttpRequest, rule: RuleName, given: Setting, key: Key = None) -> HttpResponse:
    """Switch a rule, or say how far it may go."""

    def do() -> Content:
        changes = given.model_dump(exclude_unset=True, exclude={"crm_source", "reason"})
        after = engine.set_rule(
            rule,
            changes,
            crm_source=given.crm_source,
            actor=caller(request).name,
            reason=given.reason,
        )
        return {"rule": rule, "crm_source": given.crm_source, **after.to_dict()}

    return done(request, key, do)


@router.get("/automation/acts", response=documented(Page), auth=VIEW)
def acts(
    request: HttpRequest,
    rule: Name = "",
    open: bool = False,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Content:
    """What the rules found, the latest first. ``open``: only what waits for a yes."""
    found, following = engine.acts(rule=rule, is_open=open, at=cursor, limit=limit)
    return {"items": [engine.to_dict(act) for act in found], "next_cursor": following}


@router.post("/automation/run", response=documented(Content, 409), auth=SCHEDULE)
def run_rules(request: HttpRequest, given: Given, key: Key = None) -> HttpResponse:
    """Let the rules judge now, and act where they may; what they found this time."""

    def do() -> Content:
        found = engine.run_rules(get_worker_pool())
        return {"acts": [engine.to_dict(act) for act in found]}

    return done(request, key, do)


@router.post(
    "/automation/acts/{act_id}/approve", response=documented(Content, 404, 409), auth=SCHEDULE
)
def approve(request: HttpRequest, act_id: Id, given: Why, key: Key = None) -> HttpResponse:
    """Do what a rule asked for; ``outcome`` tells what became of it."""

    def do() -> Content:
        actor = caller(request).name
        act = engine.approve(act_id, get_worker_pool(), actor=actor, reason=given.reason)
        return {"act": engine.to_dict(act)}

    return done(request, key, do)


@router.post(
    "/automation/acts/{act_id}/dismiss", response=documented(Content, 404, 409), auth=SCHEDULE
)
def dismiss(request: HttpRequest, act_id: Id, given: Why, key: Key = None) -> HttpResponse:
    """Do not do what a rule asked for."""

    def do() -> Content:
        act = engine.dismiss(act_id, actor=caller(request).name, reason=given.reason)
        return {"act": engine.to_dict(act)}

    return done(request, key, do)


@router.get("/reports", response=documented(Page), auth=VIEW)
def reports(request: HttpRequest, cursor: Cursor = "", limit: Limit = 20) -> Content:
    """The reports, the latest first, each in two sentences."""
    found, following = report.reports(at=cursor, limit=limit)
    return {"items": [report.summary(one) for one in found], "next_cursor": following}


@router.post("/reports", response=documented(Content, 409, status=201), auth=SCHEDULE)
def make_report(request: HttpRequest, given: Span, key: Key = None) -> HttpResponse:
    """Look back now; nobody is told by a notice."""

    def do() -> Content:
        made, _ = reporting.generate(hours=given.hours, tells=False, actor=caller(request).name)
        return {"report": report.summary(made)}

    return done(request, key, do, status=201)


@router.get("/reports/{report_id}", response=documented(Content, 404), auth=VIEW)
def one_report(request: HttpRequest, report_id: Id) -> Content:
    """One report; ``sources`` tells of each figure which rows it counts."""
    return {"report": report.to_dict(report.find(report_id))}
