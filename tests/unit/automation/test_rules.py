"""Each rule: where it must act, where it must not, and where its limit stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ingestion.models import AuditRecord, RuleAct, SyncHistory, SyncSchedule
from ingestion.services.automation import engine
from ingestion.services.scheduling import schedules
from tests.unit.automation.recorded import (
    came_to_nothing,
    died,
    failed_once,
    grew,
    lost_its_state,
    overloaded,
    ran,
    refused_us,
    series,
    throttled,
    timed_out,
)
from tests.unit.pool_fixtures import Bench


@dataclass(frozen=True)
class Case:
    """``arrange`` makes the situation for a route (or with the bench); ``spoil`` takes one of its
    conditions away; ``done`` tells whether the action was done."""

    rule: str
    arrange: Callable[..., None]
    spoil: Callable[[Bench], None]
    done: Callable[[Bench], bool]
    is_of_pool: bool = False


def submitted(**parameters: Any) -> Callable[[Bench], bool]:
    def look(bench: Bench) -> bool:
        return any(t.parameters == parameters for t in bench.pool.get_active_tasks())

    return look


def one_more_complete(bench: Bench) -> None:
    ran(minutes_ago=1)


CASES = (
    Case("handle_zero_records", came_to_nothing, one_more_complete, submitted(mode="force7")),
    Case(
        "optimize_batch_size",
        timed_out,
        lambda _: schedules.edit(the_schedule().pk, {"options": {"batch_size": 50}}) and None,
        lambda _: the_schedule().options == {"batch_size": 200},
    ),
    Case("restart_failed_sync", failed_once, one_more_complete, submitted(max_records=7)),
    Case(
        "scale_up_resources",
        overloaded,
        lambda bench: bench.pool.set_max_workers(4) and None,
        lambda bench: bench.pool.get_max_workers() == 3,
        is_of_pool=True,
    ),
    Case(
        "cleanup_stuck_processes",
        died,
        lambda _: SyncHistory.objects.update(configuration={}) and None,
        lambda _: SyncHistory.objects.get().status == "failed",
        is_of_pool=True,
    ),
    Case(
        "rotate_credentials",
        refused_us,
        one_more_complete,
        lambda bench: "hubspot" in bench.pool.controls().crm_pauses,
    ),
    Case("clear_cache_on_errors", lost_its_state, one_more_complete, submitted(mode="full")),
    Case(
        "adjust_rate_limits",
        throttled,
        lambda _: ran("hubspot.deals", requests=5000) and None,
        lambda bench: "hubspot" in bench.pool.controls().crm_limits,
    ),
    Case(
        "predictive_maintenance",
        grew,
        lambda _: schedules.edit(the_schedule().pk, {"every": 30}) and None,
        lambda _: the_schedule().every == 20,
    ),
)
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)


def the_schedule() -> SyncSchedule:
    return SyncSchedule.objects.get()


def arranged(case: Case, bench: Bench) -> None:
    engine.set_rule(case.rule, {"level": "act"})
    case.arrange(bench) if case.is_of_pool else case.arrange("hubspot.contacts")


def acts(case: Case, bench: Bench) -> list[RuleAct]:
    return [act for act in engine.run_rules(bench.pool) if act.rule == case.rule]


def test_every_rule_has_its_case() -> None:
    assert [case.rule for case in sorted(CASES, key=lambda c: c.rule)] == list(engine.rules())
    assert len(CASES) == 9


@each
def test_acts_where_it_must(case: Case, bench: Bench) -> None:
    arranged(case, bench)
    (act,) = acts(case, bench)
    assert act.outcome == "done", act.result
    assert case.done(bench)
    assert any(character.isdigit() for character in act.sentence)
    record = AuditRecord.objects.get(action="automation", target=f"rule {case.rule}")
    assert (record.actor, record.reason) == (f"automation ({case.rule})", act.sentence)
    assert (record.before, record.after["outcome"]) == (act.figures, "done")


@each
def test_does_not_act_where_it_must_not(case: Case, bench: Bench) -> None:
    arranged(case, bench)
    case.spoil(bench)
    assert acts(case, bench) == []
    assert not AuditRecord.objects.filter(action="automation").exists()


@each
def test_its_hourly_limit_stops_it(case: Case, bench: Bench) -> None:
    arranged(case, bench)
    engine.set_rule(case.rule, {"hourly_limit": 1})
    RuleAct.objects.create(rule=case.rule, subject="another", sentence="s", outcome="done")
    (act,) = acts(case, bench)
    assert act.outcome == "limited"
    assert not case.done(bench)
    record = AuditRecord.objects.get(action="automation_limit", target=f"rule {case.rule}")
    assert (record.actor, record.reason) == (f"automation ({case.rule})", act.sentence)
    assert (record.before, record.after) == (act.figures, {"hourly_limit": 1})


@each
def test_its_cooldown_stops_it(case: Case, bench: Bench) -> None:
    arranged(case, bench)
    first = acts(case, bench)
    assert len(first) == 1
    assert acts(case, bench) == []


@each
def test_a_switched_off_rule_says_nothing(case: Case, bench: Bench) -> None:
    arranged(case, bench)
    engine.set_rule(case.rule, {"enabled": False})
    assert acts(case, bench) == []


def test_scale_up_never_passes_the_ceiling(bench: Bench, settings: Any) -> None:
    settings.INGESTION_AUTOMATION_MAX_WORKERS = 2
    engine.set_rule("scale_up_resources", {"level": "act"})
    overloaded(bench)
    assert not [a for a in engine.run_rules(bench.pool) if a.rule == "scale_up_resources"]
    assert bench.pool.get_max_workers() == 2


def test_a_paused_crm_is_left_in_peace(bench: Bench) -> None:
    failed_once("hubspot.contacts")
    bench.pool.pause("hubspot")
    assert engine.run_rules(bench.pool) == []


def test_a_lasting_failure_is_not_run_again(bench: Bench) -> None:
    ran(status="failed", error="HubSpot refused the credentials (401); check the token.")
    series(5, since_minutes=20)
    assert engine.run_rules(bench.pool) == []


# A failure is judged by its class; by its words only where it has none


@pytest.mark.parametrize(
    ("rule", "arrange", "error_class"),
    [
        ("optimize_batch_size", timed_out, "timeout"),
        ("optimize_batch_size", timed_out, "too_large"),
        ("restart_failed_sync", failed_once, "transient"),
        ("restart_failed_sync", failed_once, "throttled"),
        ("restart_failed_sync", failed_once, "lost"),
        ("rotate_credentials", refused_us, "credentials"),
        ("clear_cache_on_errors", lost_its_state, "kept_state"),
    ],
)
def test_a_class_is_enough(
    rule: str, arrange: Callable[[str], None], error_class: str, bench: Bench
) -> None:
    arrange("hubspot.contacts")
    failed = SyncHistory.objects.filter(status="failed")
    failed.update(error_message="401: who can tell?", error_class=error_class)
    assert rule in found_by(bench)


@pytest.mark.parametrize(
    ("rule", "arrange", "error_class"),
    [
        ("optimize_batch_size", timed_out, "transient"),
        ("restart_failed_sync", failed_once, "permanent"),
        ("restart_failed_sync", failed_once, "quota"),
        ("rotate_credentials", refused_us, "not_allowed"),
        ("rotate_credentials", refused_us, "settings_missing"),
        ("clear_cache_on_errors", lost_its_state, "unexpected"),
    ],
)
def test_a_class_counts_more_than_words(
    rule: str, arrange: Callable[[str], None], error_class: str, bench: Bench
) -> None:
    """The words are those on which the rule acts where there is no class."""
    arrange("hubspot.contacts")
    assert rule in found_by(bench)
    RuleAct.objects.all().delete()
    SyncHistory.objects.filter(status="failed").update(error_class=error_class)
    assert rule not in found_by(bench)


def found_by(bench: Bench) -> set[str]:
    """The rules that have found something; none does more than to say it."""
    for name in engine.rules():
        engine.set_rule(name, {"level": "report"})
    return {act.rule for act in engine.run_rules(bench.pool)}


def test_a_run_from_a_shell_is_restarted_with_its_own_options(bench: Bench) -> None:
    failed_once("hubspot.contacts")
    row = SyncHistory.objects.get(status="failed")
    row.configuration = {
        "mode": "full",
        "max_records": 7,
        "execution": "shell",
        "asked": "contacts",
    }
    row.save()
    assert [act.outcome for act in engine.run_rules(bench.pool)] == ["done"]
    assert submitted(mode="full", max_records=7)(bench)
