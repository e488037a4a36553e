"""Which queue a task is sent to, and which a worker takes from."""

from __future__ import annotations

from data_warehouse import servers
from data_warehouse.celery import app
from ingestion.celery import beat_schedule


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
