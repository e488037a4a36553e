"""The endpoints of the history."""

from __future__ import annotations

import csv
import io
import json
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


def log_line(at: str, event: str, **more: object) -> str:
    return json.dumps({"timestamp": at, "level": "info", "event": event, "logger": "a", **more})


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
        # What was not reported counts as none.
        assert [
            {**model, **of} for model, of in zip(shown["models"], told["models"], strict=True)
        ] == (shown["models"])
        assert [(a["attempt"], a["how"]) for a in shown["attempts"]] == [(1, "fail")]
        assert [record["action"] for record in shown["audit"]] == ["fail", "submit"]
        assert (shown["reason"], shown["command"]) == ("try", "sync_hubspot_deals")

    def test_one_run_shows_its_lines_of_the_log(
        self, operator: Client, settings: Any, tmp_path: Any
    ) -> None:
        settings.INGESTION_LOG_DIR = tmp_path
        row = a_run(worker_pool_task_id="an-id")
        at = f"{row.start_time:%Y-%m-%dT%H:%M:%S.%fZ}"
        logged = [
            log_line(at, "task an-id began with password=hunter2"),
            log_line(at, "task of another"),
            log_line(at, f"command {row.endpoint} of another run", run=row.pk + 1),
            log_line("2020-01-01T00:00:00.000000Z", "task an-id long ago"),
            f"{at} INFO task an-id in the form of an older version",
            log_line(at, "bound to it", run=row.pk, exception="Traceback:\nKeyError"),
        ]
        (tmp_path / "ingestion.log").write_text("\n".join(logged))
        shown = operator.get(f"/api/history/{row.pk}").json()["log"]
        assert shown == [
            f"{at} info a task an-id began with password=***",
            f"{at} info a bound to it",
            "Traceback:",
            "KeyError",
        ]

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
        assert answer["Content-Type"] == "text/csv; charset=utf-8"

    @pytest.mark.parametrize(
        ("message", "cell"),
        [
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("\t=1", "'\t=1"),
            ("\uff1d1+1", "'\uff1d1+1"),
            ("\uff0bcmd", "'\uff0bcmd"),
            ("\uff0d2", "'\uff0d2"),
            ("\uff20SUM(1)", "'\uff20SUM(1)"),
            ("it said:\n=1+1", "it said:\n'=1+1"),
            ("it said:\r\n\uff20x", "it said:\r\n'\uff20x"),
            ("it said:\u2028+1", "it said:\u2028'+1"),
            ("a = b\n\nc - d", "a = b\n\nc - d"),
        ],
    )
    def test_no_cell_is_taken_for_a_formula(
        self, operator: Client, message: str, cell: str
    ) -> None:
        a_run(status="failed", error_message=message)
        answer = operator.get("/api/history.csv?status=failed")
        text = io.StringIO(b"".join(answer.streaming_content).decode(), newline="")
        (row,) = csv.DictReader(text)
        assert row["error_message"] == cell
