"""Every wrong setting is told with its cure."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db.models import Model
from django.test import override_settings
from django.urls import include, path

from ingestion import checks
from ingestion import conf as conf_module
from ingestion.conf import PoolConf
from ingestion.sync.common.registry import crms
from tests.unit.pool_fixtures import CONF


def ids(conf: PoolConf) -> list[str]:
    return [problem.id for problem in checks.pool_problems(conf)]


def test_the_defaults_are_fine() -> None:
    assert ids(CONF) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_workers": 0}, "ingestion.E001"),
        ({"max_workers": 5000}, "ingestion.E001"),
        ({"max_workers": 11, "worker_concurrency": 12}, "ingestion.W001"),
        ({"max_workers": 4, "worker_concurrency": 4}, "ingestion.W002"),
        ({"max_attempts": 0}, "ingestion.E002"),
        ({"lease_seconds": 0}, "ingestion.E003"),
        ({"lease_seconds": -1}, "ingestion.E003"),
        ({"dispatch_seconds": float("nan")}, "ingestion.E003"),
        ({"monitor_seconds": 0}, "ingestion.E003"),
        ({"stale_minutes": 0}, "ingestion.E003"),
        ({"retention_minutes": 0}, "ingestion.E003"),
        ({"priority_aging_seconds": -1}, "ingestion.E003"),
        ({"stale_minutes": 1}, "ingestion.W003"),
    ],
)
def test_a_wrong_setting_is_told(changes: dict[str, Any], expected: str) -> None:
    assert expected in ids(replace(CONF, **changes))


def test_every_problem_has_a_cure() -> None:
    wrong = replace(CONF, max_workers=0, lease_seconds=0, stale_minutes=0, max_attempts=0)
    problems = list(checks.pool_problems(wrong))
    assert len(problems) >= 4
    assert all(problem.hint for problem in problems)


def test_this_installation_has_every_task_and_command() -> None:
    assert [
        m for m in run_checks(tags=[checks.TAG]) if m.id in ("ingestion.W005", "ingestion.E004")
    ] == []


def test_a_route_without_a_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = checks.get_commands()
    monkeypatch.setattr(
        checks, "get_commands", lambda: {k: v for k, v in known.items() if k != "sync_genius_all"}
    )
    (message,) = checks.check_routes()
    assert message.id == "ingestion.W005"
    assert "sync_genius_all" in message.msg
    assert "makecommands" in message.hint


def test_a_route_without_a_task_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "routes", lambda: {("acme", "all"): "check"})
    (message,) = checks.check_routes()
    assert message.id == "ingestion.E004"
    assert "ingestion.tasks.sync_acme_all" in message.msg


def test_missing_credentials_are_told_before_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "crm_environment", dict)
    wanting = [c for c in crms().values() if c.connected and any(s.required for s in c.settings)]
    messages = checks.check_credentials()
    assert len(messages) == len(wanting) > 0
    assert {m.id for m in messages} == {"ingestion.W004"}
    tested = run_checks(tags=[checks.TAG])
    assert all(m.id != "ingestion.W004" for m in tested)


@pytest.mark.parametrize(
    "changes",
    [{"rejected_records": 0}, {"rejected_percent": -1}, {"rejected_percent": 100.5}],
)
def test_a_share_of_bad_records_that_makes_no_sense_is_told(changes: dict[str, Any]) -> None:
    conf = conf_module.warehouse_conf()
    assert list(checks.warehouse_problems(conf)) == []
    (problem,) = checks.warehouse_problems(replace(conf, **changes))
    assert (problem.id, bool(problem.hint)) == ("ingestion.E005", True)


@pytest.mark.parametrize("url", ["oracle://host/name", "gs://bucket", "sqlite://", "nonsense"])
def test_a_warehouse_that_is_not_supported_is_refused(url: str) -> None:
    conf = replace(conf_module.warehouse_conf(), url=url)
    (problem,) = checks.warehouse_problems(conf)
    assert (problem.id, problem.is_serious()) == ("ingestion.E008", True)


class Elsewhere:
    """A database router of a project that adds the app."""

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "other"


@pytest.mark.parametrize(
    ("urls", "found"),
    [
        ([path("", include("ingestion.urls"))], []),
        ([path("warehouse/", include("ingestion.urls"))], ["ingestion.E010"]),
        ([], []),
    ],
)
def test_pages_stand_at_the_root_or_nowhere(urls: list[Any], found: list[str]) -> None:
    module = ModuleType("urls_of_a_project")
    module.urlpatterns = urls  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=module):
        assert [problem.id for problem in checks.check_urls()] == found


def test_a_ledger_elsewhere_is_refused() -> None:
    assert checks.check_ledger() == []
    with override_settings(DATABASE_ROUTERS=[Elsewhere()]):
        assert [problem.id for problem in checks.check_ledger()] == ["ingestion.E011"]
