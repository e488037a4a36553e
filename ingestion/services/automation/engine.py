"""Runs the rules: at most once per cooldown for each subject, and so many acts an hour."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models.automation import Level, RuleAct, RuleSetting
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts, collect
from ingestion.services.automation.rule_errors import ActNotFound, AlreadyDecided, UnknownRule
from ingestion.services.infra import cursor
from ingestion.services.requests.routing import known_crms
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask, mask_json

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

logger = logging.getLogger(__name__)

# By name: a rule imports what it is made of from this room.
RULES = f"{__package__}.rules"
ACTED = (RuleAct.Outcome.STARTED, RuleAct.Outcome.DONE, RuleAct.Outcome.FAILED)
SETTABLE = ("enabled", "level", "cooldown_minutes", "hourly_limit")


@dataclass(frozen=True)
class InForce:
    """How a rule is set for a CRM."""

    enabled: bool
    level: Level
    cooldown_minutes: int
    hourly_limit: int

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "level": str(self.level)}


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by name."""
    folder = import_module(RULES)
    for module in pkgutil.iter_modules(folder.__path__):
        import_module(f"{RULES}.{module.name}")
    found = [kind() for kind in Rule.__subclasses__()]
    return {rule.name: rule for rule in sorted(found, key=lambda rule: rule.name)}


def rule(name: str) -> Rule:
    """Raises UnknownRule."""
    if name not in rules():
        raise UnknownRule(f"There is no rule {name!r}; there are {', '.join(rules())}.")
    return rules()[name]


def in_force(found: Rule, crm_source: str = "") -> InForce:
    """The setting for the CRM, then that for all, then the rule's own."""
    kept = {s.crm_source: s for s in RuleSetting.objects.filter(rule=found.name)}
    usual = {"enabled": True, **{name: getattr(found, name) for name in SETTABLE[1:]}}
    for setting in (kept.get(""), kept.get(crm_source) if crm_source else None):
        given = {name: getattr(setting, name, None) for name in SETTABLE}
        usual |= {name: value for name, value in given.items() if value is not None}
    return InForce(**{**usual, "level": Level(usual["level"])})


def set_rule(
    name: str,
    settings: Mapping[str, Any],
    *,
    crm_source: str = "",
    change: ChangeRequest = UNSIGNED,
) -> InForce:
    """Set some of ``SETTABLE`` for one CRM or for all. Raises UnknownRule."""
    found = rule(name)
    if crm_source and crm_source not in known_crms():
        raise UnknownRule(f"There is no CRM {crm_source!r}; there are {', '.join(known_crms())}.")
    before = in_force(found, crm_source)
    with transaction.atomic():
        RuleSetting.objects.update_or_create(
            rule=name,
            crm_source=crm_source,
            defaults={**settings, "updated_by": audit.signed(change).by},
        )
        after = in_force(found, crm_source)
        audit.record(
            "automation_set",
            change=replace(change, reason=_about(crm_source, change.reason)),
            target=f"rule {name}",
            before=before.to_dict(),
            after=after.to_dict(),
        )
    return after


def _about(crm_source: str, reason: str) -> str:
    return f"For {crm_source or 'all CRMs'}{f': {reason}' if reason else '.'}"


def run_rules(pool: WorkerPoolService, *, facts: Facts | None = None) -> list[RuleAct]:
    """Judge and act; what was found this time. Raises PoolUnavailable."""
    judged = facts or collect(pool)
    made = []
    for found in rules().values():
        for about in found.find(judged):
            act = _enter(found, about, in_force(found, about.crm_source), timezone.now())
            if act is not None:
                made.append(act)
                if act.outcome == RuleAct.Outcome.STARTED:
                    _carry_out(found, act, pool, _by(found))
    return made


def acts(
    *, rule: str = "", is_open: bool = False, at: str | None = None, limit: int = 50
) -> tuple[list[RuleAct], str | None]:
    """What the rules found, the latest first, and the cursor of the next page. ``is_open``: only
    what waits for a yes. Raises InvalidCursor."""
    wanted = {"rule": rule, "outcome": RuleAct.Outcome.PROPOSED if is_open else ""}
    rows = RuleAct.objects.filter(**{name: value for name, value in wanted.items() if value})
    return cursor.page(rows, by="at", cursor=at, limit=limit)


def approve(act_id: int, pool: WorkerPoolService, *, change: ChangeRequest) -> RuleAct:
    """Do what a rule asked for. Errors: ActNotFound, AlreadyDecided, and those of the action."""
    signed = audit.signed(change)
    found, act = _decide(act_id, RuleAct.Outcome.STARTED, signed)
    return _carry_out(found, act, pool, signed)


def dismiss(act_id: int, *, change: ChangeRequest) -> RuleAct:
    """Do not do it. Errors: ActNotFound, AlreadyDecided."""
    _, act = _decide(act_id, RuleAct.Outcome.DISMISSED, audit.signed(change))
    _note("automation_dismiss", act, change)
    return act


def _enter(found: Rule, about: Recommendation, how: InForce, now: datetime) -> RuleAct | None:
    """Note it, unless it is switched off or was noted within the cooldown. The lock on the rule's
    row gives two engines one order."""
    if not how.enabled:
        return None
    with transaction.atomic():
        RuleSetting.objects.select_for_update().get_or_create(rule=found.name, crm_source="")
        noted = RuleAct.objects.filter(rule=found.name, subject=about.subject)
        outcome = _outcome(found, how, now)
        if _is_known(noted, outcome, how, now):
            return None
        noted.filter(outcome=RuleAct.Outcome.PROPOSED).update(outcome=RuleAct.Outcome.REPLACED)
        act = RuleAct.objects.create(
            at=now,
            rule=found.name,
            crm_source=about.crm_source,
            subject=about.subject,
            sentence=mask(about.sentence),
            figures=mask_json(about.figures),
            outcome=outcome,
        )
        if outcome == RuleAct.Outcome.LIMITED:
            _note("automation_limit", act, _by(found), after={"hourly_limit": how.hourly_limit})
    return act


def _is_known(noted: QuerySet[RuleAct], outcome: str, how: InForce, now: datetime) -> bool:
    """What the limit stopped has no cooldown: it is done as soon as there is room again, and said
    once an hour until then."""
    limited = RuleAct.Outcome.LIMITED
    since = now - timedelta(minutes=how.cooldown_minutes)
    if noted.exclude(outcome=limited).filter(at__gt=since).exists():
        return True
    is_said = noted.filter(outcome=limited, at__gt=now - timedelta(hours=1)).exists()
    return outcome == limited and is_said


def _outcome(found: Rule, how: InForce, now: datetime) -> str:
    if how.level == Level.REPORT:
        return RuleAct.Outcome.REPORTED.value
    if how.level == Level.ASK:
        return RuleAct.Outcome.PROPOSED.value
    acted = RuleAct.objects.filter(
        rule=found.name, outcome__in=ACTED, at__gt=now - timedelta(hours=1)
    )
    is_spent = acted.count() >= how.hourly_limit
    return (RuleAct.Outcome.LIMITED if is_spent else RuleAct.Outcome.STARTED).value


def _by(found: Rule) -> ChangeRequest:
    return ChangeRequest(by=f"automation ({found.name})")


def _carry_out(
    found: Rule, act: RuleAct, pool: WorkerPoolService, change: ChangeRequest
) -> RuleAct:
    """Do it and say so, whatever comes of it; a refusal by the pool is an outcome too."""
    about = Recommendation(act.crm_source, act.subject, act.sentence, act.figures)
    try:
        act.result = found.act(about, Hands(pool, change.by))
        act.outcome = RuleAct.Outcome.DONE.value
    except PoolError as refusal:
        logger.warning("rule %s could not act on %s: %s", found.name, act.subject, refusal)
        act.result = {"error": mask(f"{refusal.code}: {refusal}")}
        act.outcome = RuleAct.Outcome.FAILED.value
    act.acted_at, act.actor = timezone.now(), mask(change.by)
    act.save()
    after = {"outcome": act.outcome, **act.result}
    _note("automation", act, change, after=after)
    return act


def _note(
    action: str,
    act: RuleAct,
    change: ChangeRequest,
    *,
    after: Mapping[str, Any] | None = None,
) -> None:
    """With what the rule found, in its words and figures, and what a person said to it."""
    audit.record(
        action,
        change=replace(change, reason=_because(act.sentence, change.reason)),
        target=f"rule {act.rule}",
        before=act.figures,
        after=after,
    )


def _because(what: str, reason: str) -> str:
    return f"{what} Decided: {reason}" if reason else what


def _decide(act_id: int, outcome: str, signed: ChangeRequest) -> tuple[Rule, RuleAct]:
    """One person decides, once."""
    proposed = RuleAct.objects.filter(pk=act_id, outcome=RuleAct.Outcome.PROPOSED)
    is_first = proposed.update(outcome=outcome, actor=signed.by)
    act = RuleAct.objects.filter(pk=act_id).first()
    if act is None:
        raise ActNotFound(f"There is no recommendation {act_id}; 'acts' shows them.")
    if not is_first:
        raise AlreadyDecided(f"Recommendation {act_id} waits for nobody: it is {act.outcome}.")
    return rule(act.rule), act


def to_dict(act: RuleAct) -> dict[str, Any]:
    """The JSON form."""
    return {
        "id": act.pk,
        "at": act.at.isoformat(),
        "rule": act.rule,
        "crm_source": act.crm_source,
        "subject": act.subject,
        "sentence": act.sentence,
        "figures": act.figures,
        "outcome": act.outcome,
        "acted_at": act.acted_at.isoformat() if act.acted_at else None,
        "actor": act.actor,
        "result": act.result,
    }


def settings_in_force() -> Iterator[dict[str, Any]]:
    """Every rule with its setting for all CRMs, and what CRMs have of their own."""
    own = RuleSetting.objects.exclude(crm_source="")
    for found in rules().values():
        crms = {
            s.crm_source: in_force(found, s.crm_source).to_dict()
            for s in own.filter(rule=found.name)
        }
        yield {"rule": found.name, "does": found.does, **in_force(found).to_dict(), "crms": crms}
