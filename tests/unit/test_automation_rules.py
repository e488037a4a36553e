"""Each rule: where it must act, where it must not, and where its limit stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import AuditRecord, RuleAct, SyncHistory, SyncSchedule
from ingestion.pool.errors import PoolError
from ingestion.services import outside_runs, schedules
from ingestion.services.automation import engine
from ingestion.services.automation.facts import Facts, collect
from ingestion.services.automation.rule_errors import ActNotFound, AlreadyDecided, UnknownRule
from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.pool.worker_tick("w1", capacity=8)
    with use_worker_pool(bench.pool):
        yield bench


def ran(
    route: str = "hubspot.contacts",
    *,
    minutes_ago: float = 5,
    status: str = "success",
    processed: int = 10,
    error: str = "",
    seconds: float = 10,
    requests: int = 0,
    throttled: int = 0,
    parameters: dict[str, Any] | None = None,
) -> SyncHistory:
    end = timezone.now() - timedelta(minutes=minutes_ago)
    crm_source, sync_type = route.split(".")
    return SyncHistory.objects.create(
        crm_source=crm_source,
        sync_type=sync_type,
        status=status,
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        records_processed=processed,
        error_message=error,
        configuration={"parameters": parameters or {}},
        performance_metrics={"models": [{"requests": requests, "throttled": throttled}]},
    )


def series(count: int, *, since_minutes: float = 10, **fields: Any) -> None:
    """The latest first, ten minutes apart."""
    for number in range(count):
        ran(minutes_ago=since_minutes + 10 * number, **fields)


def scheduled(route: str = "hubspot.contacts", **fields: Any) -> SyncSchedule:
    crm_source, model_name = route.split(".")
    usual = {"name": route, "crm_source": crm_source, "model_name": model_name}
    return schedules.create({**usual, "every": 10, "period": "minutes", **fields})


# The situations, as they are recorded


def came_to_nothing(route: str) -> None:
    series(3, route=route, processed=0)
    series(10, since_minutes=60, route=route)


def timed_out(route: str) -> None:
    scheduled(route, options={"batch_size": 400})
    series(2, route=route, status="failed", error="HubSpot: the request timed out")


def failed_once(route: str) -> None:
    ran(route, status="failed", error="HubSpot answered 502", parameters={"max_records": 7})
    series(5, since_minutes=20, route=route)


def refused_us(route: str) -> None:
    error = "HubSpot refused the credentials (401); check HUBSPOT_ACCESS_TOKEN."
    series(3, route=route, status="failed", error=error)


def lost_its_state(route: str) -> None:
    series(3, route=route, status="failed", error="the column amount has another type")


def throttled(route: str) -> None:
    ran(route, requests=200, throttled=40)


def grew(route: str) -> None:
    scheduled(route)
    series(5, route=route, seconds=550)
    series(10, since_minutes=100, route=route, seconds=200)


def overloaded(bench: Bench) -> None:
    for _ in range(4):
        bench.pool.submit_task("genius", "all")
    bench.clock.advance(minutes=20)
    bench.memory.worker_seen("w1", capacity=8)


def died(bench: Bench) -> None:
    SyncHistory.objects.create(
        crm_source="genius",
        sync_type="leads",
        configuration={"process": {**outside_runs.this_process(), "started": "long ago"}},
    )


@dataclass(frozen=True)
class Case:
    """``arrange`` makes the situation for a route (or with the bench); ``spoil`` takes one of its
    conditions away; ``done`` tells whether the deed was done."""

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
    settings.AUTOMATION_MAX_WORKERS = 2
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
    done = engine.approve(act.pk, bench.pool, actor="ann")
    assert (done.outcome, done.actor, len(bench.broker.sent)) == ("done", "ann", 1)
    with pytest.raises(AlreadyDecided):
        engine.approve(act.pk, bench.pool, actor="bob")


def test_a_no_is_kept(bench: Bench) -> None:
    engine.set_rule("restart_failed_sync", {"level": "ask"})
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert engine.dismiss(act.pk, actor="ann").outcome == "dismissed"
    with pytest.raises(AlreadyDecided):
        engine.approve(act.pk, bench.pool, actor="bob")
    assert not bench.broker.sent


def test_a_refusal_by_the_pool_is_recorded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PoolError("no")

    monkeypatch.setattr(bench.pool, "submit_task", refuse)
    failed_once("hubspot.contacts")
    (act,) = engine.run_rules(bench.pool)
    assert (act.outcome, act.result) == ("failed", {"error": "POOL_ERROR: no"})


def test_what_does_not_exist_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(UnknownRule, match="restart_failed_sync"):
        engine.set_rule("reboot", {"enabled": True})
    with pytest.raises(ActNotFound):
        engine.approve(77, bench.pool, actor="ann")


def test_the_facts_say_what_was_recorded(bench: Bench) -> None:
    failed_once("hubspot.contacts")
    facts: Facts = collect(bench.pool)
    (runs,) = facts.runs.values()
    assert [run.status for run in runs] == ["failed", *["success"] * 5]
    assert replace(facts, runs={}).of_crm() == {}
