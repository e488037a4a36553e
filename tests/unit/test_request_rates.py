"""Who asks the API too often waits; others do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from ingestion.api.app import api
from ingestion.models import SyncHistory
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member, program
from tests.unit.pool_shell import pool_in_memory

MOST = 3


@pytest.fixture
def pool(db: None, settings: Any) -> Iterator[WorkerPoolService]:
    settings.INGESTION_API_REQUESTS_PER_MINUTE = MOST
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()


def use_up(client: Client, path: str = "/api/me") -> None:
    for _ in range(MOST):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("who", ["token", "person"])
def test_after_so_many_requests_a_caller_must_wait(pool: WorkerPoolService, who: str) -> None:
    client = program("read") if who == "token" else browser(member("Viewers"))
    use_up(client)
    answer = client.get("/api/me")
    wait = int(answer["Retry-After"])
    assert answer.status_code == 429
    assert 0 < wait <= 60
    assert answer.json() == {
        "error": {
            "code": "TOO_MANY_REQUESTS",
            "message": f"Too many requests; try again in {wait} s.",
        }
    }


def test_everybody_is_counted_alone(pool: WorkerPoolService) -> None:
    one, other = program("read", "one"), program("read", "other")
    use_up(one)
    use_up(other)
    use_up(browser(member("Viewers")))
    assert one.get("/api/me").status_code == 429


def test_what_came_too_often_was_not_done(pool: WorkerPoolService) -> None:
    client = program("operate")
    use_up(client)
    sent = {"crm_source": "five9"}
    answer = client.post("/api/tasks", sent, content_type="application/json")
    assert answer.status_code == 429
    assert not SyncHistory.objects.exists()


def test_what_is_refused_counts_too(pool: WorkerPoolService) -> None:
    client = program("read")
    said = [client.post("/api/queue/process").status_code for _ in range(MOST + 1)]
    assert said == [403] * MOST + [429]


@pytest.mark.parametrize("path", ["/api/status", "/api/dashboard"])
def test_no_endpoint_is_left_out(pool: WorkerPoolService, path: str) -> None:
    client = program("read")
    use_up(client, path)
    assert client.get(path).status_code == 429


def test_0_sets_no_limit(pool: WorkerPoolService, settings: Any) -> None:
    settings.INGESTION_API_REQUESTS_PER_MINUTE = 0
    client = program("read")
    assert {client.get("/api/me").status_code for _ in range(10 * MOST)} == {200}


def test_the_document_tells_of_it() -> None:
    endpoints = [
        endpoint
        for path in api.get_openapi_schema()["paths"].values()
        for endpoint in path.values()
    ]
    assert all(429 in endpoint["responses"] for endpoint in endpoints)
