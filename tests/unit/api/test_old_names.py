"""Names of earlier versions go on working; ``test_deprecated_names`` lists them."""

from __future__ import annotations

import pytest
from django.test import Client

from ingestion.api.app import api
from ingestion.deprecated_names import API_ACTIONS, API_PATHS, JSON_KEYS
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import full, post


def test_the_document_has_the_new_paths_alone() -> None:
    paths = api.get_openapi_schema()["paths"].keys()
    assert {f"/api{new}" for new in API_PATHS.values()} <= paths
    assert not {f"/api{old}" for old in API_PATHS} & paths


def test_the_document_has_the_old_keys_of_answers_as_deprecated() -> None:
    schemas = api.get_openapi_schema()["components"]["schemas"]
    for new, old in JSON_KEYS.items():
        having = [found for found in schemas.values() if new in found.get("properties", {})]
        assert having, new
        for found in having:
            described = {**found["properties"][old], "title": found["properties"][new]["title"]}
            assert described == {**found["properties"][new], "deprecated": True}
            assert old in found["required"]


def test_an_old_path_answers_as_the_new_one(pool: WorkerPoolService, boss: Client) -> None:
    assert boss.get("/api/status/").json().keys() == boss.get("/api/status").json().keys()
    assert post(boss, "/doctor/heal").json() == post(boss, "/doctor/repair").json()
    full(pool)
    task_id = pool.submit_task("hubspot", "deals")
    for verb, priority in (("priority", 5), ("prioritize", 6)):
        answer = post(boss, f"/tasks/{task_id}/{verb}", {"priority": priority})
        assert answer.json()["task"]["priority"] == priority


def test_an_old_path_is_as_closed(pool: WorkerPoolService, boss: Client) -> None:
    assert boss.get("/api/status/?bogus=1").status_code == 422
    assert Client().get("/api/status/").status_code == 401


@pytest.mark.parametrize(("old", "new"), API_ACTIONS.items())
def test_an_old_action_finds_what_the_new_one_does(
    pool: WorkerPoolService, boss: Client, old: str, new: str
) -> None:
    full(pool)
    pool.submit_task("hubspot", "deals")
    found = [
        post(boss, "/bulk/preview", {"action": name, "filter": {}, "priority": 1}).json()
        for name in (old, new)
    ]
    assert found[0]["count"] == 1
    assert found[0] == found[1]


@pytest.mark.parametrize("wrong", ["raise", 5, ["priority"], {"priority": 1}, None])
def test_another_action_is_refused(boss: Client, wrong: object) -> None:
    answer = post(boss, "/bulk/preview", {"action": wrong, "filter": {}})
    assert answer.status_code == 422
