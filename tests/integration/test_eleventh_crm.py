"""A new CRM works after startcrm and makecommands, and no other edit anywhere.

Everything happens in a copy of the project and in processes of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.eleventh_crm import ROWS
from tests.project_copy import copy_project

SECONDS = 300
# Names that sort before and after those of the modules that every CRM imports.
NEW = {"acme": "rest", "globex": "sql"}
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    folder: Path

    def run(self, *command: str | Path, fails: bool = False) -> str:
        """Its stdout. Fails the test where the command fails, or does not though it should."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
            "VAR_DIR": str(self.folder / "var"),
            "LOG_DIR": str(self.folder / "logs"),
            "SYNC_LIST_KEYS_HOURS": "0",  # its keys are no whole numbers: list them in every run
        }
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    def manage(self, *args: str, fails: bool = False) -> str:
        return self.run(sys.executable, "manage.py", *args, fails=fails)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of this project in which both kinds of CRM were started."""
    copy = Project(tmp_path_factory.mktemp("project"))
    copy_project(copy.folder)
    for name, kind in NEW.items():
        said = copy.manage("startcrm", name, "--kind", kind, "--title", f"{name.title()} & Sons")
        assert f"sync_{name}_all" in said
    copy.manage("makecommands")
    copy.manage("makedatasets")
    return copy


@pytest.fixture(scope="module")
def lives(project: Project) -> dict[str, dict[str, Any]]:
    said = project.run(sys.executable, "-m", "tests.integration.eleventh_crm", *NEW)
    found: dict[str, dict[str, Any]] = json.loads(said)
    return found


@pytest.fixture(params=NEW)
def life(request: pytest.FixtureRequest, lives: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"name": request.param, **lives[request.param]}


def test_it_has_routes_commands_and_tasks(life: dict[str, Any]) -> None:
    assert life["command"] == f"sync_{life['name']}_customers"
    assert life["has_task"]


def test_its_access_can_be_checked(life: dict[str, Any]) -> None:
    assert life["checks"] == {"users": "ok", "customers": "ok"}


def test_its_sandbox_is_loaded_whole(life: dict[str, Any]) -> None:
    assert life["held"]["customers"] == ROWS
    assert life["first"]["created"] == sum(life["held"].values())
    assert life["equal_after_first"]


def test_what_changes_follows(life: dict[str, Any]) -> None:
    done, delta = life["tick"], life["delta"]
    assert min(done.values()) > 0
    assert {name: delta[name] for name in ("created", "updated")} == {
        name: done[name] for name in ("created", "updated")
    }
    assert delta["processed"] < life["first"]["processed"]
    assert delta["deleted"] + life["full"]["deleted"] == done["deleted"]
    assert life["equal_after_full"]
    assert life["again"]["created"] == life["again"]["updated"] == life["again"]["deleted"] == 0


def test_its_sandbox_can_have_faults(lives: dict[str, dict[str, Any]]) -> None:
    changed = lives["acme"]["with_a_new_column"]
    assert changed["updated"] == changed["processed"] > 0
    assert changed["failed"] == 0


def test_a_database_reports_in_every_run_what_is_gone(lives: dict[str, dict[str, Any]]) -> None:
    assert lives["globex"]["delta"]["deleted"] == lives["globex"]["tick"]["deleted"]


def test_what_follows_from_the_folder_was_written(project: Project) -> None:
    project.manage("makecommands", "--check")
    settings = (project.folder / ".env.example").read_text()
    assert "#ACME_API_TOKEN=" in settings
    assert "#GLOBEX_DATABASE_URL=" in settings


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        (
            "from ingestion.sync.globex.settings import CRM",
            "ingestion.sync.acme is not allowed to import ingestion.sync.globex",
        ),
        ("import sandbox.crms.acme", "ingestion is not allowed to import sandbox"),
    ],
    ids=["another-crm", "the-sandbox"],
)
def test_it_must_not_import(project: Project, line: str, refusal: str) -> None:
    project.run(BIN / "lint-imports")
    rows = project.folder / "ingestion" / "sync" / "acme" / "rows.py"
    rows.write_text(f"{line}\n")
    try:
        said = project.run(BIN / "lint-imports", fails=True)
    finally:
        rows.unlink()
    assert refusal in said


def test_its_own_tests_and_the_contract_hold(project: Project) -> None:
    folders = [f"ingestion/sync/{name}" for name in NEW]
    contracts = [
        "tests/contract/test_every_crm.py",
        "tests/contract/test_routes.py",
        "tests/unit/test_makecommands.py",
        "tests/unit/test_makedatasets.py",
        "tests/unit/test_env_example.py",
    ]
    said = project.run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders, *contracts
    )
    assert "passed" in said
    assert "skipped" not in said
