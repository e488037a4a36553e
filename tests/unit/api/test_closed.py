"""Names that an endpoint does not know are refused, and those that it knows are listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from ingestion.api.app import api
from ingestion.models import AuditRecord
from ingestion.pool.task import utc_now
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import JSON, code, post

ENDPOINTS = [
    (method, path)
    for path, methods in api.get_openapi_schema()["paths"].items()
    for method in methods
]


def message(answer: Any) -> str:
    assert code(answer) == (422, "INVALID_INPUT")
    return str(answer.json()["error"]["message"])


def known_to(method: str, path: str) -> str:
    parameters = api.get_openapi_schema()["paths"][path][method]["parameters"]
    return ", ".join(found["name"] for found in parameters if found["in"] == "query") or "none"


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_refuses_an_unknown_query_parameter(
    boss: Client, method: str, path: str
) -> None:
    filled = path.replace("{", "").replace("}", "")
    answer = boss.generic(method, f"{filled}?bogus=1", "{}", content_type=JSON)
    assert f"query: unknown: bogus; known: {known_to(method, path)}" in message(answer)


def test_the_document_itself_takes_no_parameter(boss: Client) -> None:
    assert message(boss.get("/api/openapi.json?bogus=1")) == "query: unknown: bogus; known: none"


def test_strangers_are_asked_who_they_are_first(db: None) -> None:
    assert code(Client().get("/api/tasks?bogus=1")) == (401, "NOT_LOGGED_IN")


def test_a_misspelled_parameter_is_named_beside_the_missing_one(operator: Client) -> None:
    refusal = message(operator.get("/api/forecast?crm_sorce=five9"))
    assert refusal.startswith("query: unknown: crm_sorce; known: crm_source, sync_type,")
    assert refusal.endswith("; query.crm_source: Field required")


def test_of_many_unknown_names_the_first_are_shown(operator: Client) -> None:
    query = "&".join(f"{letter * 99}=1" for letter in "abcdefgh")
    refusal = message(operator.get(f"/api/me?{query}"))
    assert refusal == f"query: unknown: {', '.join(x * 50 for x in 'abcde')}; known: none"


def test_an_unknown_field_of_a_body_is_refused(pool: WorkerPoolService, operator: Client) -> None:
    task_id = pool.submit_task("five9", "contacts", not_before=utc_now() + timedelta(hours=1))
    refusal = message(post(operator, f"/tasks/{task_id}/hold", {"because": "wrong dates"}))
    assert refusal == "body: unknown: because; known: reason, expected_revision"
    assert not AuditRecord.objects.filter(action="hold").exists()


def test_so_is_one_of_an_object_in_it(operator: Client) -> None:
    sent = {"action": "hold", "filter": {"crm": "five9"}}
    assert message(post(operator, "/bulk/preview", sent)) == (
        "body.filter: unknown: crm; known: crm_source, sync_type, status, older_than_seconds, "
        "requested_by, ids"
    )


def test_a_wrong_value_is_named_by_its_field(operator: Client) -> None:
    refusal = message(post(operator, "/tasks", {"crm_source": "five9", "priority": 5000}))
    assert refusal == "body.priority: Input should be less than or equal to 1000"
