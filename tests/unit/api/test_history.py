"""The doors of the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import a_run, post
from tests.unit.pool_shell import take


class TestHistory:
    def test_can_be_searched(self, operator: Client) -> None:
        wanted = a_run(status="failed", error_message="Timeout at page 3")
        a_run(), a_run(crm_source="five9", sync_type="contacts")
        for query in ("status=failed", "text=timeout", "crm_source=hubspot&status=failed"):
            items = operator.get(f"/api/history?{query}").json()["items"]
            assert [item["id"] for item in items] == [wanted.pk]

    def test_can_be_searched_by_time(self, operator: Client) -> None:
        now = timezone.now()
        old = a_run(start_time=now - timedelta(days=2))
        a_run(start_time=now)
        until = (now - timedelta(days=1)).isoformat()
        items = operator.get("/api/history", {"until": until}).json()["items"]
        assert [item["id"] for item in items] == [old.pk]

    def test_pages_hold_each_run_once(self, operator: Client) -> None:
        moment = timezone.now()
        rows = {a_run(start_time=moment).pk for _ in range(5)}
        first = operator.get("/api/history?limit=3").json()
        second = operator.get(f"/api/history?limit=3&cursor={first['next_cursor']}").json()
        seen = [item["id"] for item in first["items"] + second["items"]]
        assert (len(seen), set(seen), second["next_cursor"]) == (5, rows, None)

    def test_one_run_tells_its_attempts_models_and_trail(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals", reason="try")
        take(pool, task_id)
        told = {"models": [{"model": "deals", "processed": 3, "seconds": {"extract": 1.5}}]}
        outcome = Outcome(TaskStatus.FAILED, "broken", result={"metrics": told})
        pool.finish_task(task_id, attempt=1, outcome=outcome)
        row = SyncHistory.objects.get(worker_pool_task_id=task_id)
        shown = operator.get(f"/api/history/{row.pk}").json()
        assert shown["models"] == told["models"]
        assert [(a["attempt"], a["how"]) for a in shown["attempts"]] == [(1, "fail")]
        assert [record["action"] for record in shown["audit"]] == ["fail", "submit"]
        assert (shown["reason"], shown["command"]) == ("try", "sync_hubspot_deals")

    def test_one_run_shows_its_lines_of_the_log(
        self, operator: Client, settings: Any, tmp_path: Any
    ) -> None:
        settings.LOG_DIR = tmp_path
        row = a_run(worker_pool_task_id="an-id")
        stamp = f"{row.start_time:%Y-%m-%d %H:%M:%S}"
        (tmp_path / "ingestion.log").write_text(
            f"{stamp},1 INFO a [1] task an-id began with password=hunter2\n"
            f"{stamp},2 INFO a [1] task of another\n"
            "2020-01-01 00:00:00,1 INFO a [1] task an-id long ago\n"
        )
        (line,) = operator.get(f"/api/history/{row.pk}").json()["log"]
        assert line.startswith(f"{stamp},1 INFO")
        assert "hunter2" not in line

    @pytest.mark.parametrize(("number", "status"), [("0", 422), ("77", 404), (str(2**70), 422)])
    def test_an_unknown_run_is_refused(self, operator: Client, number: str, status: int) -> None:
        assert operator.get(f"/api/history/{number}").status_code == status

    def test_a_run_of_the_command_line_can_be_tried_again(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        asked = {"mode": "full", "max_records": 5, "asked": "deals", "command": "x"}
        row = a_run(configuration=asked)
        answer = post(operator, f"/history/{row.pk}/retry")
        task = pool.get_task_status(answer.json()["task_id"])
        assert task is not None
        assert task.parameters == {"mode": "full", "max_records": 5}

    def test_is_a_table_for_spreadsheets(self, operator: Client) -> None:
        a_run(status="failed", error_message='=HYPERLINK("https://evil.example")')
        answer = operator.get("/api/history.csv?status=failed")
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert lines[0].startswith("id,task_id,crm_source")
        assert "\"'=HYPERLINK" in lines[1]
        assert answer["Content-Disposition"] == 'attachment; filename="history.csv"'
