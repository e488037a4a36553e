"""Which queue a task is sent to, and which a worker takes from."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from celery.app.routes import MapRoute, prepare

from data_warehouse import servers
from data_warehouse.celery import app
from data_warehouse.environment import Settings
from ingestion.celery import beat_schedule
from ingestion.checks import check_routes
from ingestion.services.deployment import workers as deployed
from ingestion.services.requests.sync_queues import sync_queues, unread_queues
from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench

MONITOR = "ingestion.tasks.worker_pool_monitor"
HUBSPOT, GENIUS = ("ingestion.tasks.sync_hubspot_contacts", "ingestion.tasks.sync_genius_leads")


def set_routes(value: str, problems: list[str] | None = None) -> dict[str, dict[str, str]]:
    config = Settings({"CELERY_SYNC_QUEUES": value})  # type: ignore[arg-type]
    found = servers.task_routes(config, syncs="dw", control="dw-control")
    (problems if problems is not None else []).extend(config.problems)
    return found


@pytest.fixture
def hubspot_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The syncs of HubSpot have a queue of their own."""
    routes = {
        "ingestion.tasks.sync_hubspot_*": {"queue": "dw-big", "routing_key": "dw-big"},
        "ingestion.*": {"queue": "dw-local", "routing_key": "dw-local"},
    }
    monkeypatch.setattr(current_app.amqp.router, "routes", prepare(routes))


def test_control_tasks_have_a_queue_of_their_own_where_one_is_set() -> None:
    routes = {
        **servers.routes("dw-control", *servers.CONTROL_TASKS),
        **servers.routes("dw", "ingestion.*"),
    }
    assert routes["ingestion.tasks.worker_pool_monitor"]["queue"] == "dw-control"
    assert [queue.name for queue in servers.queues("dw", "dw-control")] == ["dw", "dw-control"]
    assert [queue.name for queue in servers.queues("dw", "dw")] == ["dw"]


def test_every_control_task_is_registered() -> None:
    assert set(servers.CONTROL_TASKS) <= set(app.tasks)


def test_all_that_beat_starts_is_a_control_task() -> None:
    entries = beat_schedule(monitor_seconds=120, queue="dw-control").values()
    assert {entry["task"] for entry in entries} <= set(servers.CONTROL_TASKS)
    assert {entry["options"]["routing_key"] for entry in entries} == {"dw-control"}


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("ingestion.tasks.sync_hubspot_contacts", "dw-hubspot"),
        ("ingestion.tasks.sync_hubspot_all", "dw-hubspot"),
        ("ingestion.tasks.sync_genius_leads", "dw-leads"),
        ("ingestion.tasks.sync_genius_all", "dw-big"),
        ("ingestion.tasks.sync_genius_jobs", "dw"),
        (MONITOR, "dw-control"),
        ("ingestion.run_ingestion", "dw"),
    ],
)
def test_a_sync_is_sent_to_the_first_queue_that_fits(task: str, queue: str) -> None:
    routes = set_routes("hubspot:dw-hubspot, *.all:dw-big, genius.leads : dw-leads")
    assert MapRoute(routes)(task)["queue"] == queue


def test_a_single_type_counts_before_its_crm() -> None:
    routes = MapRoute(set_routes("genius:dw-genius,genius.leads:dw-leads"))
    assert routes(GENIUS)["queue"] == "dw-leads"


def test_without_the_setting_all_syncs_share_one_queue() -> None:
    queues = {route["queue"] for route in set_routes("").values()}
    assert queues == {"dw", "dw-control"}


@pytest.mark.parametrize("word", ["hubspot", "hubspot:", ":dw", "hub spot:dw", "hubspot.*.x:dw"])
def test_what_is_written_wrong_is_told(word: str) -> None:
    problems: list[str] = []
    set_routes(f"genius:dw-big,{word}", problems)
    assert problems == [f"CELERY_SYNC_QUEUES holds {word!r}; write CRM:QUEUE or CRM.TYPE:QUEUE."]


def test_a_queue_for_a_sync_that_does_not_exist_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes = set_routes("hubspott:dw-big,genius.leads:dw-leads,*.all:dw-big")
    monkeypatch.setattr("ingestion.checks.task_routes", lambda: routes)
    (error,) = [found for found in check_routes() if found.id == "ingestion.E012"]
    assert error.msg == (
        "A queue is set for syncs that do not exist: ingestion.tasks.sync_hubspott_*."
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("hubspot_apart")
class TestAQueueThatNobodyReads:
    @pytest.fixture
    def bench(self) -> Any:
        """A worker is online that takes from dw-local alone."""
        bench = Bench()
        with use_worker_pool(bench.pool):
            bench.pool.worker_tick("sync@one", capacity=4, task_names=sync_queues()["dw-local"])
            yield bench

    def test_its_task_takes_no_slot_and_delays_nobody(self, bench: Bench) -> None:
        waiting = bench.pool.submit_task("hubspot", "contacts", priority=9)
        running = bench.pool.submit_task("genius", "leads")
        assert bench.pool.get_task_status(waiting).status == "queued"
        assert [task.id for task in bench.pool.get_active_tasks()] == [running]

    def test_the_task_says_which_worker_is_missing(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("hubspot", "contacts")
        said = bench.pool.explain(task_id).reason
        assert said.code == "unknown_to_workers"
        assert said.sentence == (
            "No worker online takes from the queue dw-big; its syncs wait without a slot, and start "
            "by themselves when one does: celery -A data_warehouse worker --queues dw-big"
        )

    def test_status_and_doctor_say_it_once(self, bench: Bench) -> None:
        assert unread_queues(bench.pool.snapshot()) == {"dw-big"}
        (warning,) = bench.pool.snapshot().warnings
        assert warning.startswith("No worker online takes from the queue dw-big; ")
        assert warning in bench.pool.examine().notes

    def test_it_starts_when_a_worker_takes_from_it(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("hubspot", "contacts")
        bench.clock.advance(seconds=61)
        bench.pool.worker_tick("sync@two", capacity=1, task_names=sync_queues()["dw-big"])
        bench.pool.worker_tick("sync@one", capacity=4, task_names=sync_queues()["dw-local"])
        assert bench.pool.get_task_status(task_id).status == "running"
        assert unread_queues(bench.pool.snapshot()) == frozenset()

    def test_deploy_check_names_the_queue(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = {"sync@one": [{"name": "dw-local"}]}
        inspect = type("Inspect", (), {"active_queues": lambda self: answers})
        monkeypatch.setattr(current_app.control, "inspect", lambda timeout: inspect())
        errors = [found for found in deployed.worker_problems() if found.is_serious()]
        assert [error.id for error in errors] == ["ingestion.E052"]
        assert "the queue dw-big, but from dw-local" in errors[0].msg
        assert errors[0].hint.endswith("celery -A data_warehouse worker --queues dw-big")
