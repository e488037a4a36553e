"""The admin shows ledger, audit and settings, and changes none of them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from ingestion.models import AuditRecord, PoolSetting, SyncHistory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    return client


@pytest.fixture
def rows() -> dict[str, int]:
    return {
        "synchistory": SyncHistory.objects.create(crm_source="genius", sync_type="leads").pk,
        "auditrecord": AuditRecord.objects.create(action="limit", actor="ann").pk,
        "poolsetting": PoolSetting.objects.create(name="max_workers", value=3).pk,
    }


@pytest.mark.parametrize("model", ["synchistory", "auditrecord", "poolsetting"])
def test_shows_and_does_not_change(admin: Client, rows: dict[str, int], model: str) -> None:
    prefix = f"admin:ingestion_{model}"
    assert admin.get(reverse(f"{prefix}_changelist"), {"q": "x"}).status_code == 200
    assert admin.get(reverse(f"{prefix}_change", args=[rows[model]])).status_code == 200
    assert admin.get(reverse(f"{prefix}_add")).status_code == 403
    assert admin.post(reverse(f"{prefix}_change", args=[rows[model]]), {}).status_code == 403
    assert admin.post(reverse(f"{prefix}_delete", args=[rows[model]])).status_code == 403
