"""What becomes of a finding: levels, limits, cooldowns, and the yes or no of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import AuditRecord, RuleAct
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.automation import engine
from ingestion.services.automation.facts import Facts, collect
from ingestion.services.automation.rule_errors import ActNotFound, AlreadyDecided, UnknownRule
from tests.unit.automation.recorded import failed_once
from tests.unit.pool_fixtures import Bench

# Levels, per rule and per CRM


def test_a_rule_may_only_report(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"level": "report"})
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert act.outcome == "reported"
    assert not bench.broker.sent


def test_a_crm_may_be_set_otherwise(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"enabled": False}, crm_source="hubspot")
    failed_once("hubspot.contacts")
    failed_once("genius.leads")
    (act,) = engine.run_rules(bench.pool)
    assert (act.crm_source, act.outcome) == ("genius", "done")


def test_a_rule_that_asks_waits_for_a_yes(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"level": "ask"})
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert (act.outcome, bench.broker.sent) == ("proposed", [])
    done = engine.approve(act.pk, bench.pool, change=ChangeRequest(by="ann"))
    assert (done.outcome, done.actor, len(bench.broker.sent)) == ("done", "ann", 1)
    with pytest.raises(AlreadyDecided):
        engine.approve(act.pk, bench.pool, change=ChangeRequest(by="bob"))


def test_a_no_is_kept(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"level": "ask"})
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert engine.dismiss(act.pk, change=ChangeRequest(by="ann")).outcome == "dismissed"
    with pytest.raises(AlreadyDecided):
        engine.approve(act.pk, bench.pool, change=ChangeRequest(by="bob"))
    assert not bench.broker.sent


def test_a_refusal_by_the_pool_is_recorded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PoolError("no")

    monkeypatch.setattr(bench.pool, "submit", refuse)
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert (act.outcome, act.result) == ("failed", {"error": "POOL_ERROR: no"})


def test_what_does_not_exist_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(UnknownRule, match="restart_failed_sync"):
        engine.set_rule("reboot", {"enabled": True})
    with pytest.raises(ActNotFound):
        engine.approve(77, bench.pool, change=ChangeRequest(by="ann"))


def test_the_facts_say_what_was_recorded(bench: Bench) -> None:
    failed_once("hubspot.contacts")
    facts: Facts = collect(bench.pool)
    (runs,) = facts.runs.values()
    assert [run.status for run in runs] == ["failed", *["success"] * 5]
    assert replace(facts, runs={}).of_crm() == {}


# Limits


def test_what_a_limit_stopped_is_done_when_there_is_room(
    bench: Bench,
) -> None:
    engine.set_rule("restart_failed_sync", {"hourly_limit": 1})
    done = RuleAct.objects.create(
        rule="restart_failed_sync", subject="another", sentence="s", outcome="done"
    )
    failed_once("hubspot.contacts")
    assert [act.outcome for act in engine.run_rules(bench.pool)] == ["limited"]
    assert engine.run_rules(bench.pool) == []  # it has been said
    RuleAct.objects.filter(pk=done.pk).update(at=timezone.now() - timedelta(minutes=61))
    assert [act.outcome for act in engine.run_rules(bench.pool)] == ["done"]
    assert engine.run_rules(bench.pool) == []  # its cooldown


def test_a_limit_that_lasts_is_said_once_an_hour(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"hourly_limit": 0})
    failed_once("hubspot.contacts")
    engine.run_rules(bench.pool)
    RuleAct.objects.update(at=timezone.now() - timedelta(minutes=61))
    assert [act.outcome for act in engine.run_rules(bench.pool)] == ["limited"]


# Decisions


def test_a_question_that_nobody_answered_is_asked_anew_once(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"level": "ask", "cooldown_minutes": 30})
    failed_once("hubspot.contacts")
    (first,) = engine.run_rules(bench.pool)
    RuleAct.objects.update(at=timezone.now() - timedelta(minutes=31))
    (second,) = engine.run_rules(bench.pool)
    assert [act.pk for act in engine.acts(is_open=True)[0]] == [second.pk]
    with pytest.raises(AlreadyDecided, match="replaced"):
        engine.approve(first.pk, bench.pool, change=ChangeRequest(by="ann"))
    assert not bench.broker.sent


@pytest.mark.parametrize(
    ("decide", "action"),
    [
        (
            lambda act, pool: engine.approve(
                act, pool, change=ChangeRequest(by="ann", reason="he agrees")
            ),
            "automation",
        ),
        (
            lambda act, _: engine.dismiss(act, change=ChangeRequest(by="ann", reason="he agrees")),
            "automation_dismiss",
        ),
    ],
)
def test_a_decision_keeps_what_was_found_and_why_it_was_decided(
    decide: Any, action: str, bench: Bench
) -> None:
    engine.set_rule("restart_failed_sync", {"level": "ask"})
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    decide(act.pk, bench.pool)
    record = AuditRecord.objects.get(action=action)
    assert (record.actor, record.target) == ("ann", "rule restart_failed_sync")
    assert record.reason == f"{act.sentence} Decided: he agrees"
    assert record.before == act.figures


def test_a_setting_keeps_its_reason(bench: Bench) -> None:
    engine.set_rule(
        "restart_failed_sync",
        {"enabled": False},
        crm_source="hubspot",
        change=ChangeRequest(by="ann", reason="new key"),
    )
    record = AuditRecord.objects.get(action="automation_set")
    assert (record.actor, record.reason) == ("ann", "For hubspot: new key")
    assert (record.before["enabled"], record.after["enabled"]) == (True, False)
