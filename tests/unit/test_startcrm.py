"""What startcrm writes and refuses. That it runs is proven in tests/integration."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from data_warehouse.environment import BASE_DIR
from ingestion.services.crms import new_crm
from ingestion.services.crms.new_crm import LONGEST_NAME, kinds
from ingestion.sync.common.registry import SYNC_DIR

LONG_TITLE = "Acme, Inc. & Sons' (the very long title of 50) 9/10"
# They stand before, among and after the modules that every CRM imports.
NAMES = ("acme", "core9", "zeta", "n" * LONGEST_NAME, "a_b_c")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of a project as is looked at."""
    for folder in ("ingestion/sync/hubspot", "ingestion/management/commands", "sandbox/crms/five9"):
        (tmp_path / folder).mkdir(parents=True)
    for shared in ("base.py", "web.py", "serving"):
        (tmp_path / "sandbox" / shared).symlink_to(BASE_DIR / "sandbox" / shared)
    for shared in ("common", "http"):
        (tmp_path / "ingestion/sync" / shared).symlink_to(SYNC_DIR / shared)
    (tmp_path / "ingestion/management/commands/sync_genius_marketsharp_leads.py").touch()
    return tmp_path


def files(project: Path) -> set[str]:
    return {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}


def start(project: Path, name: str, kind: str = "rest", **options: Any) -> None:
    call_command("startcrm", name, kind=kind, dir=project, **options)


@pytest.mark.parametrize("kind", kinds())
def test_writes_the_files_of_a_crm(
    project: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(project)
    start(project, "acme", kind)

    written = files(project) - before
    assert written >= {
        "sandbox/crms/acme.py",
        "ingestion/sync/acme/__init__.py",
        "ingestion/sync/acme/README.md",
        "ingestion/sync/acme/settings.py",
        "ingestion/sync/acme/source.py",
        "ingestion/sync/acme/tests/__init__.py",
        "ingestion/sync/acme/tests/test_acme_source.py",
    }
    said = capsys.readouterr().out
    assert all(name in said for name in written)
    for step in ("makecommands", ".env.example", "makedatasets", "check_crm acme", "sync_acme_all"):
        assert step in said


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("name", NAMES)
def test_what_it_writes_keeps_to_the_projects_style(project: Path, kind: str, name: str) -> None:
    """Whatever the length of name and title, and wherever the name stands in the alphabet."""
    before = files(project)
    start(project, name, kind, title=LONG_TITLE[:50])
    written = [project / path for path in files(project) - before if path.endswith(".py")]
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", BASE_DIR / "pyproject.toml"]
        done = subprocess.run(
            [*command, *written], cwd=project, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout


def test_without_a_sandbox_it_writes_no_part_of_it_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "sandbox")
    before = files(project)
    start(project, "acme")

    folder = "ingestion/sync/acme"
    names = ("README.md", "__init__.py", "settings.py", "source.py")
    assert files(project) - before == {f"{folder}/{name}" for name in names}
    said = capsys.readouterr().out
    assert "There is no sandbox/ in this project" in said
    assert "makecommands" in said
    assert "crm_sandbox" not in said


def test_a_crm_may_have_the_name_of_an_installed_module(project: Path) -> None:
    start(project, "requests")
    assert (project / "ingestion/sync/requests/source.py").exists()


def test_a_title_follows_from_the_name(project: Path) -> None:
    start(project, "acme_roofs")
    settings = (project / "ingestion/sync/acme_roofs/settings.py").read_text()
    assert 'title="Acme Roofs"' in settings
    assert "class AcmeRoofsModel(Model)" in settings
    assert '"ACME_ROOFS_API_TOKEN"' in settings


@pytest.mark.parametrize(
    "name", ["", "Acme", "9to5", "a-b", "a__b", "_a", "a_", "class", "é", "../a"]
)
def test_what_is_no_name_is_refused(project: Path, name: str) -> None:
    assert_refused(project, name, "must be a Python identifier")


def test_a_name_that_is_too_long_is_refused(project: Path) -> None:
    assert_refused(project, "n" * (LONGEST_NAME + 1), f"{LONGEST_NAME} characters at most")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("common", "reserved"),
        ("hubspot", "exists"),
        ("five9", "exists"),
        ("genius_marketsharp", "sync_genius_marketsharp_leads exists"),
    ],
)
def test_a_name_that_is_taken_is_refused(project: Path, name: str, said: str) -> None:
    assert_refused(project, name, said)


@pytest.mark.parametrize("title", ['a"b', "a\\b", "{a}", "a\nb", "a|b", "-", "x" * 51, "$a"])
def test_a_title_that_would_break_a_file_is_refused(project: Path, title: str) -> None:
    assert_refused(project, "acme", "cannot be a title", title=title)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path, "acme", "--dir must name the project")


def test_a_second_time_is_refused_and_changes_nothing(project: Path) -> None:
    start(project, "acme")
    mine = project / "ingestion/sync/acme/source.py"
    mine.write_text("# mine")
    assert_refused(project, "acme", "exists", kind="sql")
    assert mine.read_text() == "# mine"


def assert_refused(project: Path, name: str, said: str, **options: Any) -> None:
    before = files(project)
    with pytest.raises(CommandError) as refused:
        start(project, name, **options)
    assert refused.value.returncode == 2
    assert said in str(refused.value)
    assert files(project) == before


def test_a_template_is_no_crm() -> None:
    assert new_crm.TEMPLATES.is_relative_to(BASE_DIR)
    assert not new_crm.TEMPLATES.is_relative_to(SYNC_DIR)
    assert list(new_crm.TEMPLATES.rglob("*.py")) == []
