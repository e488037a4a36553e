"""What is kept of a run's log, how much, and how it is read."""

from __future__ import annotations

import io
import logging
import threading
from contextvars import copy_context
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from ingestion.models import RunLine, SyncHistory
from ingestion.services.runlog import keeping, lines
from ingestion.services.runlog.keeping import LoggingReporter, kept, log_result
from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Meter
from ingestion.sync.http.retry import RetryPolicy
from tests.unit.people import browser, member

logger = logging.getLogger("ingestion.sync.somewhere")


@pytest.fixture
def run(db: None) -> SyncHistory:
    return SyncHistory.objects.create(crm_source="hubspot", sync_type="deals")


def log(run: SyncHistory, *texts: str, level: int = logging.INFO, model: str = "deals") -> None:
    with bound_contextvars(run=run.pk, model=model), kept(run.pk):
        for text in texts:
            logger.log(level, text)


def texts(run: SyncHistory) -> list[str]:
    return [line.text for line in lines.read(run.pk).lines]


class TestKept:
    def test_what_is_logged_while_it_runs_with_level_and_model(self, run: SyncHistory) -> None:
        log(run, "first", "second")
        log(run, "third", level=logging.WARNING)
        found = lines.read(run.pk).lines
        assert [(one.number, one.level, one.model, one.text) for one in found] == [
            (1, "info", "deals", "first"),
            (2, "info", "deals", "second"),
            (3, "warning", "deals", "third"),
        ]

    def test_nothing_of_another_run_and_nothing_afterwards(self, run: SyncHistory) -> None:
        with kept(run.pk), bound_contextvars(run=run.pk + 1):
            logger.info("of another")
        log(run, "of this one")
        with bound_contextvars(run=run.pk):
            logger.info("afterwards")
        assert texts(run) == ["of this one"]

    def test_other_threads_leave_their_lines_to_the_one_with_the_database(
        self, run: SyncHistory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written_by: set[int] = set()
        write = keeping.RunLogHandler._write

        def noted(self: keeping.RunLogHandler, lines: list[RunLine]) -> None:
            written_by.add(threading.get_ident())
            write(self, lines)

        monkeypatch.setattr(keeping.RunLogHandler, "_write", noted)
        monkeypatch.setattr(keeping, "WRITE_SECONDS", 0.0)
        reporter = LoggingReporter(SilentReporter(), Meter())
        with bound_contextvars(run=run.pk), kept(run.pk):
            other = threading.Thread(
                target=copy_context().run, args=(logger.warning, "attempt 1, again in 2 s")
            )
            other.start()
            other.join()
            assert texts(run) == []
            reporter.check()
            assert texts(run) == ["attempt 1, again in 2 s"]
        assert written_by == {threading.get_ident()}

    def test_no_secret(self, run: SyncHistory) -> None:
        log(run, "GET https://ann:secret-word@example.com/?api_key=abc123secret refused")
        assert "secret" not in texts(run)[0].replace("refused", "")

    def test_the_oldest_of_the_middle_is_cut(
        self, run: SyncHistory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keeping, "KEPT_FIRST", 3)
        monkeypatch.setattr(keeping, "KEPT_LAST", 5)
        log(run, *(f"line {n}" for n in range(1, 301)))
        numbers = [line.number for line in lines.read(run.pk).lines]
        assert numbers == [1, 2, 3, 296, 297, 298, 299, 300]
        assert "… 292 lines are not here …" in "".join(lines.as_lines(lines.read(run.pk).lines))

    def test_an_attempt_goes_on_where_the_last_one_ended(self, run: SyncHistory) -> None:
        log(run, "attempt 1")
        log(run, "attempt 2")
        assert [line.number for line in lines.read(run.pk).lines] == [1, 2]

    def test_the_retries_of_a_request_with_their_waits(self, run: SyncHistory) -> None:
        def refused() -> None:
            raise TransientError("HubSpot answered 429 to GET /deals.", retry_after_seconds=11)

        with (
            bound_contextvars(run=run.pk),
            kept(run.pk),
            pytest.raises(TransientError),
        ):
            RetryPolicy(attempts=3).run(refused, pause=lambda seconds: None)
        assert texts(run) == [
            "attempt 1, again in 11.0 s: HubSpot answered 429 to GET /deals.",
            "attempt 2, again in 11.0 s: HubSpot answered 429 to GET /deals.",
        ]

    def test_steps_pages_and_what_the_merge_did(self, run: SyncHistory) -> None:
        meter = Meter(requests=2, throttled=1)
        reporter = LoggingReporter(SilentReporter(), meter, clock=lambda: 0.0)
        result = ModelResult("deals", processed=200, created=3, failed=1, requests=2)
        result.schema_changes = ["new column score (bigint)"]
        with bound_contextvars(run=run.pk), kept(run.pk):
            reporter.step("deals", "extract")
            reporter.advance("deals", rows=100)
            reporter.advance("deals", rows=100)  # within the same second
            log_result(result)
        assert texts(run) == [
            "deals: extract begins",
            "deals: page 1, 100 rows so far, 2 requests, 1 throttled",
            "deals: schema change: new column score (bigint)",
            "deals: 1 records were rejected",
            "deals is merged: 200 rows read, 3 new, 0 changed, 0 gone, 1 rejected; 2 requests, "
            "0 throttled, 0 bytes",
        ]


class TestRead:
    def test_by_level_and_text(self, run: SyncHistory) -> None:
        log(run, "page 1", "page 2")
        log(run, "throttled", level=logging.WARNING)
        assert [line.text for line in lines.read(run.pk, level="warning").lines] == ["throttled"]
        assert [line.text for line in lines.read(run.pk, text="PAGE 2").lines] == ["page 2"]

    def test_as_it_grows(self, run: SyncHistory) -> None:
        client = browser(member("Viewers"))
        path = f"/api/history/{run.pk}/log"
        log(run, "first")
        found = client.get(path).json()
        assert (found["next_after"], found["has_ended"]) == (1, False)
        log(run, "second")
        SyncHistory.objects.update(status="success", end_time=timezone.now())
        found = client.get(path, {"after": 1}).json()
        assert ([line["text"] for line in found["lines"]], found["has_ended"]) == (["second"], True)
        assert client.get("/api/history/999999/log").status_code == 404

    def test_as_a_file(self, run: SyncHistory) -> None:
        log(run, "<b>first</b>")
        answer: Any = browser(member("Viewers")).get(f"/api/history/{run.pk}/log.txt")
        text = b"".join(answer.streaming_content).decode()
        assert text.endswith("info     [deals] <b>first</b>\n")
        assert answer["Content-Type"].startswith("text/plain")

    def test_on_the_command_line(self, run: SyncHistory) -> None:
        log(run, "first", "second")
        SyncHistory.objects.update(status="success", end_time=timezone.now())
        out = io.StringIO()
        call_command("manage_runs", "logs", str(run.pk), "--follow", stdout=out)
        assert [line.rpartition("] ")[2] for line in out.getvalue().splitlines()] == [
            "first",
            "second",
        ]
        with pytest.raises(CommandError, match="no run 999999"):
            call_command("manage_runs", "logs", "999999")

    def test_goes_with_its_run(self, run: SyncHistory) -> None:
        log(run, "first")
        run.delete()
        assert not RunLine.objects.exists()
