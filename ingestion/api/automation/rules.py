"""The rules of the automation and how far each may go."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.http.requests import Key, Name, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.models.automation import Level
from ingestion.services.automation import engine
from ingestion.services.security.access import Right

router = Router(tags=["automation"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

RuleName = Annotated[str, Path(max_length=50)]
Count = Annotated[int, Field(ge=0, le=100_000, strict=True)]


class RuleSetting(ResponseBody):
    """How a rule is set. ``level``: it reports, asks for approval, or acts."""

    enabled: bool
    level: Annotated[str, one_of(Level)]
    cooldown_minutes: int
    hourly_limit: int


class Rule(RuleSetting):
    """A rule as it is set for all CRMs; ``does`` is a sentence, ``crms`` the settings of CRMs that
    have their own."""

    rule: str
    does: str
    crms: dict[str, RuleSetting]


class RuleList(ResponseBody):
    rules: list[Rule]


class RuleChanged(RuleSetting):
    """``crm_source`` is empty for all CRMs."""

    rule: str
    crm_source: str


class RuleChanges(ReasonBody):
    """For one CRM, or for all of them. What is left out stays."""

    crm_source: Name = ""
    enabled: bool = True
    level: Level = Level.ASK
    cooldown_minutes: Count = 60
    hourly_limit: Count = 4


@router.get(
    "/automation/rules", operation_id="automation_rules", response=documented(RuleList), auth=VIEW
)
def rules(request: HttpRequest) -> HttpResponse:
    """Every rule with its setting for all CRMs, and what CRMs have of their own."""
    return respond({"rules": list(engine.settings_in_force())})


@router.patch(
    "/automation/rules/{rule}",
    operation_id="automation_set_rule",
    response=documented(RuleChanged, 404, 409),
    auth=SCHEDULE,
)
def set_rule(
    request: HttpRequest, rule: RuleName, body: RuleChanges, key: Key = None
) -> HttpResponse:
    """Switch a rule on or off, or set how far it may go."""

    def action() -> dict[str, Any]:
        changes = body.model_dump(exclude_unset=True, exclude={"crm_source", "reason"})
        after = engine.set_rule(
            rule,
            changes,
            crm_source=body.crm_source,
            change=body.change(request),
        )
        return {"rule": rule, "crm_source": body.crm_source, **after.to_dict()}

    return perform(request, key, action)
