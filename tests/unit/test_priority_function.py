"""A function of the project decides the priority of each submission."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingestion import checks
from ingestion.pool.errors import InvalidPriority
from ingestion.services.requests.submission import Submission, prepare
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF

HERE = "tests.unit.test_priority_function"
NO_FUNCTION = 7


def by_crm(asked: Submission) -> int:
    return 100 if (asked.crm_source, asked.sync_type) == ("five9", "contacts") else asked.priority


def out_of_range(asked: Submission) -> int:
    return 1001


def nothing(asked: Submission) -> None:
    return None


def broken(asked: Submission) -> int:
    raise LookupError("no such team: password=hunter2")


def decided(settings: Any, name: str, crm_source: str = "five9") -> int:
    settings.WORKER_POOL_PRIORITY_FUNCTION = f"{HERE}.{name}" if name else ""
    return prepare(Submission(crm_source, "Contacts", priority=5), usual_attempts=1).task.priority


def test_without_one_it_is_as_asked(settings: Any) -> None:
    assert decided(settings, "") == 5


def test_it_gets_the_routed_submission_and_returns_the_priority(settings: Any) -> None:
    assert decided(settings, "by_crm") == 100
    assert decided(settings, "by_crm", "hubspot") == 5


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out_of_range", "has returned no priority. The priority must be .* it was '1001'"),
        ("nothing", "has returned no priority. The priority must be .* it was 'None'"),
        ("broken", "could not decide the priority: LookupError: no such team"),
        ("absent", "could not decide the priority: ImportError"),
    ],
)
def test_what_it_does_wrong_refuses_the_submission(settings: Any, name: str, sentence: str) -> None:
    with pytest.raises(InvalidPriority, match=rf"{HERE}\.{name} {sentence}") as refusal:
        decided(settings, name)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.django_db
def test_a_refused_submission_stores_nothing(pool: WorkerPoolService, settings: Any) -> None:
    settings.WORKER_POOL_PRIORITY_FUNCTION = f"{HERE}.broken"
    with pytest.raises(InvalidPriority):
        pool.submit_task("five9", "contacts")
    assert (pool.get_queued_tasks(), pool.get_active_tasks()) == ([], [])


@pytest.mark.parametrize("name", ["absent", "NO_FUNCTION"])
def test_the_check_refuses_what_is_no_function(name: str) -> None:
    (problem,) = checks.pool_problems(replace(CONF, priority_function=f"{HERE}.{name}"))
    assert (problem.id, bool(problem.hint)) == ("ingestion.E009", True)
    good = replace(CONF, priority_function=f"{HERE}.by_crm")
    assert list(checks.pool_problems(good)) == []
