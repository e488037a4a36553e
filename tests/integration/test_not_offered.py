"""Models that an account does not have: SalesPro by its data lake knows neither appointments nor,
without a CSV export, users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import verify
from ingestion.sync.common.errors import NotOffered
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncResult
from sandbox.serving.server import SandboxServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unlimited")]

NO_APPOINTMENTS = "SalesPro's data lake has no appointments; set SALESPRO_BACKEND=leap."


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, settings: Any) -> Iterator[SandboxServer]:
    settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    with SandboxServer(tmp_path / "sandbox", names=("salespro",), rows=20, port=0) as server:
        settings.INGESTION_CRM_ENVIRONMENT = {**server.settings, "SALESPRO_BACKEND": "athena"}
        yield server


def sync(sync_type: str) -> SyncResult:
    handle = RunHandle(SilentReporter())
    call_command(f"sync_salespro_{sync_type}", run=handle)
    assert handle.result is not None
    return handle.result


def test_all_passes_over_what_is_not_offered() -> None:
    result = sync("all")

    skipped = {m.model: m.skipped for m in result.models if m.skipped}
    assert skipped.keys() == {"appointments", "users"}
    assert skipped["appointments"] == NO_APPOINTMENTS
    assert (result.status, result.warning) == ("success", None)
    assert result.total("created") > 0
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == ("success", None)
    assert [m["model"] for m in row.performance_metrics["models"] if m["skipped"]] == [*skipped]


def test_the_summary_says_what_was_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sync_salespro_all", "--no-progress")
    assert f"salespro.appointments: passed over: {NO_APPOINTMENTS}" in capsys.readouterr().out


def test_a_single_model_fails_with_the_sentence() -> None:
    with pytest.raises(NotOffered, match="has no appointments"):
        sync("appointments")
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == ("failed", NO_APPOINTMENTS)


def test_the_verification_says_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    sync("all")

    reports = {r.model: r for r in verify("salespro", None, SilentReporter())}
    assert reports["appointments"].not_offered == NO_APPOINTMENTS
    assert all(r.is_equal for r in reports.values())
    assert reports["jobs"].source_rows > 0

    call_command("verify_warehouse", "salespro", "--no-progress")
    assert "salespro.appointments: not offered" in capsys.readouterr().out


def test_verifying_only_what_is_not_offered_fails() -> None:
    with pytest.raises(CommandError, match=r"Nothing was compared.*has no appointments") as caught:
        call_command("verify_warehouse", "salespro", "--model=appointments", "--no-progress")
    assert caught.value.returncode == 1
