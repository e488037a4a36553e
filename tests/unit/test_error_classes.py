"""The word that the ledger keeps of a failure, whichever way it came there."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from ingestion.models import SyncHistory
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.doctor import direct_runs
from ingestion.services.reporting import history
from ingestion.services.runs import runner
from ingestion.services.runs.runner import RunHandle, run_sync
from ingestion.services.tasks import outcomes
from ingestion.services.worker_pool import use_worker_pool
from ingestion.sync.common import errors
from ingestion.sync.common.failures import cause_of
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncOptions
from ingestion.sync.five9.engines.limits import over_limit
from ingestion.sync.genius.failures import explain
from ingestion.sync.http import errors as http_errors
from ingestion.sync.hubspot.api import _explain as hubspot_explains
from tests.unit.pool_fixtures import Bench


def kinds(found: type[errors.SyncError] = errors.SyncError) -> Iterator[type[errors.SyncError]]:
    """Those of ``errors``; a CRM's own ones may share a word with them."""
    for kind in found.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


def refusal(status: int, **fields: Any) -> http_errors.Refusal:
    usual = {"label": "CRM GET /x", "title": "CRM", "headers": {}, "body": {}, "text": ""}
    return http_errors.Refusal(status=status, **{**usual, **fields})


def test_every_class_has_a_word_of_its_own_that_the_column_holds() -> None:
    words = [kind.error_class for kind in kinds()]
    assert len(set(words) | {errors.LOST, errors.UNEXPECTED}) == len(words) + 2
    longest = SyncHistory._meta.get_field("error_class").max_length
    assert max(map(len, words)) <= (longest or 0)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "credentials"),
        (403, "not_allowed"),
        (404, "permanent"),
        (408, "timeout"),
        (413, "too_large"),
        (429, "throttled"),
        (500, "transient"),
        (504, "timeout"),
    ],
)
def test_an_answer_has_its_class(status: int, word: str) -> None:
    assert errors.error_class_of(http_errors.refused(refusal(status))) == word


def test_a_crms_own_429_is_throttled_too() -> None:
    said = hubspot_explains(refusal(429, body={"policyName": "TEN_SECONDLY_ROLLING"}))
    assert said is not None
    assert said.error_class == "throttled"
    assert said.retry_after_seconds == 10
    five9_says = over_limit("runReport", (), operation_type="ReportRequest", longest_seconds=60)
    assert five9_says.error_class == "throttled"


def test_no_answer_in_time_is_not_a_cut_one() -> None:
    assert http_errors.cut_off("x", requests.ReadTimeout()).error_class == "timeout"
    assert http_errors.cut_off("x", requests.ConnectionError()).error_class == "transient"


def test_a_statement_that_took_too_long_timed_out() -> None:
    url = sa.make_url("mysql+pymysql://user@host/genius")
    for code, word in ((3024, "timeout"), (1205, "transient"), (1045, "credentials")):
        problem = sa.exc.OperationalError("SELECT 1", {}, Exception(code, "said MySQL"))
        assert explain(problem, url=url, table="lead").error_class == word


@pytest.mark.parametrize(
    "words",
    [
        "no such column: amount",
        "table staging has no column named amount",
        'column "amount" of relation "deals" does not exist',
    ],
)
def test_a_table_that_does_not_fit_is_kept_state(words: str) -> None:
    found = cause_of(sa.exc.OperationalError("INSERT", {}, Exception(words)))
    assert isinstance(found, errors.StoredStateInvalid)
    assert "run the sync again" in str(found)


def test_a_busy_warehouse_is_not() -> None:
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    found = cause_of(sa.exc.OperationalError("INSERT", {}, busy))
    assert isinstance(found, errors.TransientError)


# In the ledger


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "word"),
    [(errors.CredentialsError("no"), "credentials"), (ZeroDivisionError("oh"), "unexpected")],
)
def test_a_run_outside_the_pool_keeps_it(
    error: Exception, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(runner, "_run", fail)
    with pytest.raises(type(error)):
        run_sync("hubspot", "deals", SyncOptions(), RunHandle(SilentReporter()))
    assert SyncHistory.objects.get().error_class == word


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (outcomes.failed(errors.Throttled("slow down"), attempt=3), "throttled"),
        (outcomes.lost("killed", attempt=1), "lost"),
        (Outcome(TaskStatus.FAILED, "no sign of life"), "lost"),
        (outcomes.succeeded(None), ""),
        (outcomes.cancelled("enough"), ""),
    ],
)
def test_a_task_of_the_pool_keeps_it(outcome: Outcome, word: str) -> None:
    bench = Bench()
    with use_worker_pool(bench.pool):
        task_id = bench.pool.submit_task("hubspot", "deals", max_attempts=1)
        bench.confirm(task_id)
        bench.pool.finish_task(task_id, attempt=1, outcome=outcome)
    row = SyncHistory.objects.get()
    assert row.status not in SyncHistory.OPEN_STATUSES
    assert row.error_class == word


@pytest.mark.django_db
def test_a_run_whose_process_died_is_lost() -> None:
    row = SyncHistory.objects.create(crm_source="genius", sync_type="leads")
    assert direct_runs.close(direct_runs.of(row, why="It died."))
    row.refresh_from_db()
    assert (row.status, row.error_class) == ("failed", "lost")


@pytest.mark.django_db
def test_the_history_tells_it_and_finds_by_it() -> None:
    for word in ("timeout", "credentials"):
        SyncHistory.objects.create(
            crm_source="hubspot", sync_type="deals", status="failed", error_class=word
        )
    (found,) = history.search(history.Search(text="timeout")).items
    assert found["error_class"] == "timeout"
    names, *lines = csv.reader(history.csv_lines(history.Search()))
    assert {line[names.index("error_class")] for line in lines} == {"timeout", "credentials"}


def test_several_failures_of_one_class_keep_it() -> None:
    slow, refused = errors.TimedOut("slow"), errors.NotAllowed("no")
    both = runner._failure_of({"deals": slow, "leads": errors.TimedOut("slow")}, tried=2, of=2)
    assert (type(both), both.error_class) == (errors.TransientError, "timeout")
    mixed = runner._failure_of({"deals": slow, "leads": refused}, tried=2, of=2)
    assert (type(mixed), mixed.error_class) == (errors.PermanentError, "permanent")
