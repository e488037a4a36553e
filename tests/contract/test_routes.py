"""The frozen list of routes: 61 models and 10 times ``all``, by the names that users rely on."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.core.management import get_commands

import ingestion
from ingestion.celery import beat_schedule
from ingestion.services.requests.routing import ROUTES, resolve, task_name
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.sync.common.registry import crms

MODELS = {
    "genius": """leads contacts jobs teams users appointments change_orders change_order_items
        job_change_orders job_change_order_items prospects prospect_sources prospect_statuses
        prospect_types referrers lead_sources rep_types reps tags tag_groups tasks task_types
        workflows workflow_steps workflow_step_types marketsharp_contacts marketsharp_leads
        marketsharp_appointments""",
    "callrail": "calls companies trackers users tags call_tags integrations webhooks",
    "hubspot": "contacts companies deals line_items owners products tickets associations",
    "salespro": "customers jobs proposals appointments leads users",
    "arrivy": "bookings tasks teams customers users",
    "gsheet": "leads spends",
    "salesrabbit": "users leads",
    "leadconduit": "leads",
    "five9": "contacts",
    "marketsharp": "",
}
FROZEN = {(crm, name) for crm, names in MODELS.items() for name in (*names.split(), "all")}
FALLBACKS = {
    "genius": "sync_genius_all",
    "callrail": "sync_callrail_calls",
    "hubspot": "sync_hubspot_all",
    "salespro": "sync_salespro_all",
    "arrivy": "sync_arrivy_all",
    "gsheet": "sync_gsheet_leads",
    "salesrabbit": "sync_salesrabbit_all",
    "leadconduit": "sync_leadconduit_leads",
    "five9": "sync_five9_contacts",
    "marketsharp": "sync_marketsharp_all",
}
CALLED_BY_NAME = (
    "ingestion.tasks.sync_five9_contacts",
    "ingestion.tasks.sync_genius_all",
    "ingestion.tasks.sync_genius_marketsharp_contacts",
    "ingestion.tasks.sync_hubspot_all",
    "ingestion.tasks.sync_arrivy_all",
    "ingestion.tasks.sync_marketsharp_all",
    "ingestion.tasks.worker_pool_monitor",
    "ingestion.tasks.cleanup_stale_syncs",
)


def test_the_frozen_list_has_71_routes() -> None:
    assert len(FROZEN) == 71
    assert len([route for route in FROZEN if route[1] != "all"]) == 61


def test_every_frozen_route_exists() -> None:
    assert set(ROUTES) >= FROZEN
    assert {crm for crm, _ in ROUTES} >= set(MODELS)


@pytest.mark.parametrize("route", sorted(FROZEN), ids=".".join)
def test_a_route_has_its_command_and_its_task(route: tuple[str, str]) -> None:
    crm, sync_type = route
    assert ROUTES[route] == f"sync_{crm}_{sync_type}"
    assert ROUTES[route] in get_commands()
    name = f"ingestion.tasks.sync_{crm}_{sync_type}"
    assert task_name(crm, sync_type) == name
    assert name in current_app.tasks


@pytest.mark.parametrize("name", CALLED_BY_NAME)
def test_tasks_that_are_called_by_name_exist(name: str) -> None:
    assert name in current_app.tasks


@pytest.mark.parametrize("crm", sorted(FALLBACKS))
def test_an_unknown_sync_type_falls_back(crm: str) -> None:
    route = resolve(crm, "no_such_type")
    assert route.command == FALLBACKS[crm]
    assert route.is_fallback
    assert route.task_name in current_app.tasks


def test_hubspot_loads_associations_last() -> None:
    assert crms()["hubspot"].sync_types[-2:] == ("associations", "all")


def test_every_task_goes_to_the_one_queue() -> None:
    queue = settings.CELERY_TASK_DEFAULT_QUEUE
    for crm, sync_type in FROZEN:
        found = current_app.amqp.router.route({}, task_name(crm, sync_type))
        assert found["queue"].name == queue


def literal_task_names(tree: ast.AST) -> list[str]:
    """Names given to ``shared_task``, or of the function where none is given."""
    return [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "shared_task"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    ]


def test_no_task_name_is_defined_twice() -> None:
    folder = Path(ingestion.__file__).parent
    names = [
        name
        for path in folder.rglob("*.py")
        for name in literal_task_names(ast.parse(path.read_text()))
    ]
    names += [task_name(*route) for route in ROUTES]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    ours = {name for name in current_app.tasks if name.startswith("ingestion.")}
    assert ours == set(names)


def test_beat_starts_only_tasks_that_exist() -> None:
    entries = beat_schedule(monitor_seconds=120, queue="q")
    assert set(entries) >= {"worker-pool-monitor", "cleanup-stale-syncs-0330utc"}
    for entry in entries.values():
        assert entry["task"] in current_app.tasks
        assert entry["options"]["queue"] == entry["options"]["routing_key"] == "q"
    nightly = entries["cleanup-stale-syncs-0330utc"]["schedule"]
    assert (nightly.hour, nightly.minute) == ({3}, {30})
    assert entries["worker-pool-monitor"]["schedule"].run_every.total_seconds() == 120


def test_the_app_has_the_schedule() -> None:
    assert "worker-pool-monitor" in current_app.conf.beat_schedule


def test_the_service_has_the_verbs_of_the_contract() -> None:
    verbs = """submit_task get_task_status cancel_task update_task_status process_queue
        get_active_tasks get_queued_tasks get_stats get_max_workers set_max_workers cancel_all
        clear_queue reset_state fix_stuck cleanup_completed_tasks cleanup_stale_active_tasks
        check_celery_task_statuses task_mappings"""
    for verb in verbs.split():
        assert hasattr(WorkerPoolService, verb)
