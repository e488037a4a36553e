"""How tests call the API."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.worker_pool import WorkerPoolService

JSON = "application/json"


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api{path}", body or {}, content_type=JSON, headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/api{path}").json()


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def full(pool: WorkerPoolService) -> None:
    """Every slot is taken."""
    for _ in range(2):
        pool.submit_task("five9", "contacts")


def a_run(**named: Any) -> SyncHistory:
    """A run of hubspot.deals that has succeeded, unless named otherwise."""
    given = {"crm_source": "hubspot", "sync_type": "deals", "status": "success"} | named
    given.setdefault("end_time", timezone.now())
    return SyncHistory.objects.create(**given)
