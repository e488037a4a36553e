"""A verb of the pool that was forgotten somewhere: each test names the verb."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from ingestion.api.pool.bulk import BulkPreview
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PoolStore
from ingestion.services.failover.store import FailoverStore
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.tasks.bulk import ACTIONS
from ingestion.services.worker_pool import WorkerPoolService
from tests.contract.stores import ORDER_VERBS
from tests.unit.api.test_like_the_cli import ENTRY_POINTS
from tests.unit.pool_shell import subcommands

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/worker_pool_quick_reference.md").read_text()
BUTTONS = "".join(path.read_text() for path in (ROOT / "templates/ingestion/dashboard").glob("*"))
DIALOGS = "".join(
    path.read_text() for path in (ROOT / "static/ingestion/js/dashboard").glob("*.js")
)

STORES = (MemoryPoolStore, RedisPoolStore, LedgerPoolStore, FailoverStore)
VERBS = [name for name, _ in inspect.getmembers(PoolStore, inspect.isfunction) if name[0] != "_"]
# What operators do: they say who and why.
OPERATING = [v for v in VERBS if "change" in inspect.signature(getattr(PoolStore, v)).parameters]


# A verb is called the same everywhere: ``hold`` is ``hold_task`` or ``hold`` of the service, ``hold``
# on the command line and on the dashboard; but for these.
IN_THE_SERVICE = {"prioritize": "set_priority", "set_limit": "set_max_workers"}
SUBCOMMANDS = {"set_limit": "config"}
ON_THE_DASHBOARD = {
    "prioritize": "priority",
    "move_to_front": "front",
    "set_limit": "limit",
    "clear_queue": "clear",
}
EVERY_OPERATING = pytest.mark.parametrize("verb", OPERATING)


def of_the_service(verb: str) -> str:
    plain = f"{verb}_task" if hasattr(WorkerPoolService, f"{verb}_task") else verb
    return IN_THE_SERVICE.get(verb, plain)


def subcommand(verb: str) -> str:
    return SUBCOMMANDS.get(verb, verb.replace("_", "-"))


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("verb", VERBS)
def test_every_store_has_it_with_the_same_parameters(store: type[PoolStore], verb: str) -> None:
    theirs = inspect.signature(getattr(store, verb)).parameters
    promised = inspect.signature(getattr(PoolStore, verb)).parameters
    assert [(p.name, p.kind, p.default) for p in theirs.values()] == [
        (p.name, p.kind, p.default) for p in promised.values()
    ]


@EVERY_OPERATING
class TestOperating:
    def test_the_service_takes_who_and_why(self, verb: str) -> None:
        found = getattr(WorkerPoolService, of_the_service(verb))
        assert "change" in inspect.signature(found).parameters

    def test_the_command_line_has_it(self, verb: str) -> None:
        assert "--reason" in subcommands("manage_worker_pool")[subcommand(verb)].format_help()

    def test_the_api_has_it(self, verb: str) -> None:
        changing = [
            endpoint
            for endpoint in ENTRY_POINTS["manage_worker_pool"][subcommand(verb)]
            if not endpoint.startswith("GET ")
        ]
        assert changing

    def test_the_dashboard_has_a_button_and_its_dialog(self, verb: str) -> None:
        button = ON_THE_DASHBOARD.get(verb, verb)
        # Of a row that waits, in its menu; what ends a trouble, in its banner.
        forms = (f"ask('{button}'", f"choose('{button}')", f'action: "{button}"')
        assert any(form in BUTTONS + DIALOGS for form in forms)
        assert re.search(rf"^  {button}: \{{$", DIALOGS, re.MULTILINE)

    def test_the_reference_names_it(self, verb: str) -> None:
        assert re.search(rf"`(manage_worker_pool )?{subcommand(verb)}\b", REFERENCE)
        assert of_the_service(verb) in REFERENCE


def test_every_store_keeps_the_rules_of_those_that_change_a_waiting_task() -> None:
    of_a_task = {
        v for v in OPERATING if "task_id" in inspect.signature(getattr(PoolStore, v)).parameters
    }
    assert of_a_task - {"cancel"} == set(ORDER_VERBS)


def test_many_are_changed_by_the_same_actions() -> None:
    assert set(ACTIONS) <= set(OPERATING)
    assert set(BulkPreview.model_fields["action"].annotation.__args__) == set(ACTIONS)  # type: ignore[union-attr]
    assert {action for action in ACTIONS if f'value="{action}"' not in BUTTONS} == set()
