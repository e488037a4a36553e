"""``submit --file`` and its endpoint: many submissions at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingestion.models import AuditRecord
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import program
from tests.unit.pool_shell import shell

pytestmark = pytest.mark.django_db

LINES = [
    {"crm_source": "hubspot", "sync_type": "deals", "priority": 5},
    {"crm_source": "genius", "sync_type": "leads", "parameters": {"full": True}},
    {"crm_source": "genius", "sync_type": "leads", "on_overlap": "reject"},
]


def a_file(folder: Path, *lines: Any) -> str:
    path = folder / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(path)


def test_every_line_becomes_a_task(pool: WorkerPoolService, tmp_path: Path) -> None:
    done = shell("submit", "--file", a_file(tmp_path, *LINES[:2]), "--reason", "backfill")
    assert done.code == 0
    ids = done.out.split()
    assert [pool.get_task_status(i).route for i in ids] == ["hubspot.deals", "genius.leads"]
    assert pool.get_task_status(ids[0]).priority == 5
    assert {r.reason for r in AuditRecord.objects.filter(action="submit")} == {"backfill"}


def test_what_is_refused_is_named_and_the_others_are_submitted(
    pool: WorkerPoolService, tmp_path: Path
) -> None:
    done = shell("submit", "--file", a_file(tmp_path, *LINES), "--json")
    assert done.code == 1
    assert "1 of 3 were refused. 3: genius.leads was not submitted" in done.err
    first, second, third = json.loads(done.out)["results"]
    assert all(pool.get_task_status(one["task_id"]) for one in (first, second))
    assert (third["task_id"], third["error"]["code"]) == (None, "OVERLAPS")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Line 2 of .*: This is no JSON"),
        ("[]", "Line 2 of .*: It must be an object"),
        ('{"crm_source": "genius", "prio": 1}', "Line 2 of .*: Unknown: prio; known: "),
        ('{"crm_source": "genius", "parameters": {"ful": 1}}', "Line 2 of .*ful"),
        ('{"crm_source": "genius", "not_before": "soon"}', "Line 2 of .*soon"),
        ('{"crm_source": "geniuss"}', "2: .*geniuss"),
        ('{"crm_source": "genius", "priority": 5000}', "2: .*1000"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_submitted(
    pool: WorkerPoolService, tmp_path: Path, line: str, sentence: str
) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{json.dumps(LINES[0])}\n{line}\n")
    done = shell("submit", "--file", str(path))
    assert done.code == 2
    assert re.search(sentence, " ".join(done.err.split()))
    assert pool.get_stats()["active_count"] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--file", "x", "--priority", "3"], "priority belongs into the lines"),
        (["--file", "x", "--on-overlap", "reject"], "on-overlap belongs into the lines"),
        (["--file", "x", "hubspot", "deals"], "crm belongs into the lines"),
        (["hubspot"], "Name a CRM and a type, or a --file"),
        (["--file", "/nowhere.jsonl"], "/nowhere.jsonl cannot be read"),
    ],
)
def test_wrong_use(pool: WorkerPoolService, words: list[str], sentence: str) -> None:
    done = shell("submit", *words)
    assert done.code == 2
    assert sentence in " ".join(done.err.split())


def test_the_endpoint_answers_for_each(pool: WorkerPoolService) -> None:
    answer = program("operate").post(
        "/api/submissions", {"tasks": LINES}, content_type="application/json"
    )
    assert answer.status_code == 201
    first, second, third = answer.json()["results"]
    assert pool.get_task_status(first["task_id"]).route == "hubspot.deals"
    assert second["error"] is None
    assert third["error"]["code"] == "OVERLAPS"


def test_the_endpoint_refuses_all_for_one_that_is_wrong(pool: WorkerPoolService) -> None:
    wrong = {"crm_source": "geniuss"}
    answer = program("operate").post(
        "/api/submissions", {"tasks": [LINES[0], wrong]}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "INVALID_SUBMISSIONS"
    assert "2: " in answer.json()["error"]["message"]
    assert pool.get_stats()["active_count"] == 0


def test_an_unknown_type_is_said_before_its_fallback_starts(
    pool: WorkerPoolService, tmp_path: Path
) -> None:
    sentence = "'contcts' (did you mean 'contacts'?) is no sync type of hubspot: sync_hubspot_all"
    one = shell("submit", "hubspot", "contcts")
    many = shell(
        "submit", "--file", a_file(tmp_path, {"crm_source": "hubspot", "sync_type": "contcts"})
    )
    for ran in (one, many):
        assert (ran.code, sentence in ran.err) == (0, True)
        assert pool.get_task_status(ran.out.strip()).route == "hubspot.all"


def test_a_strict_one_refuses_it(pool: WorkerPoolService, tmp_path: Path) -> None:
    wrong = {"crm_source": "hubspot", "sync_type": "contcts"}
    for words in (("hubspot", "contcts"), ("--file", a_file(tmp_path, LINES[0], wrong))):
        ran = shell("submit", *words, "--strict")
        assert (ran.code, "did you mean 'contacts'?" in ran.err) == (2, True)
    assert pool.get_queued_tasks() + pool.get_active_tasks() == []
    assert shell("submit", "hubspot", "contacts", "--strict").code == 0


def test_a_mistyped_subcommand_is_answered_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell("statsu").code == 2
    assert "did you mean 'status'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("pause", "--crm", "hubspt"), "hubspot"),
        (("breaker", "callral", "--open"), "callrail"),
        (("submit", "genus", "leads"), "genius"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(
    pool: WorkerPoolService, words: tuple[str, ...], meant: str
) -> None:
    ran = shell(*words)
    assert (ran.code, f"did you mean {meant!r}?" in ran.err + ran.message) == (2, True)
