"""``scripts/release``: the version, the changelog, a commit and a tag, or nothing at all."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ingestion
from data_warehouse.environment import BASE_DIR

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A tap.

## [1.2.3] - 2026-01-01

- A drum.
"""
NOTES = "### Added\n\n- A tap."


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("ingestion/__init__.py", '"""Docs."""\n\n__version__ = "1.2.3"\n')
        self.write("CHANGELOG.md", CHANGELOG)
        self.git("init", "--quiet")
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.com")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Change it")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def release(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(BASE_DIR / "scripts" / "release"), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def state(self) -> tuple[str, ...]:
        """What a refusal or a look leaves as it was."""
        words = (("rev-parse", "HEAD"), ("tag",), ("status", "--porcelain"))
        return tuple(self.git(*asked) for asked in words)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("asked", "version"),
    [("patch", "1.2.4"), ("minor", "1.3.0"), ("major", "2.0.0"), ("1.10.0", "1.10.0")],
)
def test_makes_a_commit_and_a_tag(repository: Repository, asked: str, version: str) -> None:
    done = repository.release(asked, "--yes")
    assert done.returncode == 0, done.stderr
    module = (repository.folder / "ingestion/__init__.py").read_text()
    assert module == f'"""Docs."""\n\n__version__ = "{version}"\n'
    assert repository.git("log", "--format=%s", "-1") == f"Release {version}"
    assert repository.git("tag", "--points-at", "HEAD") == f"v{version}"
    assert repository.git("tag", "--list", "--format=%(contents)") == (
        f"Release {version}\n\n{NOTES}"
    )
    assert repository.git("status", "--porcelain") == ""


def test_what_was_not_released_gets_its_heading(repository: Repository) -> None:
    repository.release("minor", "--yes")
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    headings = re.findall("^## .*", (repository.folder / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "## [Unreleased]"
    assert headings[1].rpartition(" - ")[0] == "## [1.3.0]"
    assert headings[1].rpartition(" - ")[2] <= day
    assert headings[2] == "## [1.2.3] - 2026-01-01"


def test_without_a_yes_it_only_shows(repository: Repository) -> None:
    before = repository.state
    done = repository.release("minor")
    assert done.returncode == 0, done.stderr
    assert '-__version__ = "1.2.3"\n+__version__ = "1.3.0"' in done.stdout
    assert "+## [1.3.0] - " in done.stdout
    assert "add --yes" in done.stdout
    assert repository.state == before


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("1.2.3", "1.2.3 is not later than 1.2.3."),
        ("1.2.2", "1.2.2 is not later than 1.2.3."),
        ("1.02.4", "'1.02.4' is neither major, minor, patch nor a version"),
        ("v2.0.0", "'v2.0.0' is neither"),
        ("tiny", "'tiny' is neither"),
    ],
)
def test_refuses_what_is_no_next_version(repository: Repository, asked: str, why: str) -> None:
    is_refused(repository, asked, why=why)


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.txt"])
def test_refuses_a_dirty_tree(repository: Repository, name: str) -> None:
    repository.write(name, "mine\n")
    is_refused(repository, "minor", why=name)


def test_a_hook_that_says_no_leaves_all_as_it_was(repository: Repository) -> None:
    hook = repository.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    is_refused(repository, "minor", why="not today")


def test_works_from_a_folder_within(repository: Repository) -> None:
    within = Repository.__new__(Repository)
    within.folder = repository.folder / "ingestion"
    assert within.release("minor").returncode == 0


def test_refuses_a_tag_that_exists(repository: Repository) -> None:
    repository.git("tag", "v1.3.0")
    is_refused(repository, "minor", why="the tag v1.3.0 exists already.")


def test_refuses_a_release_without_notes(repository: Repository) -> None:
    repository.write("CHANGELOG.md", CHANGELOG.replace(NOTES, ""))
    repository.commit()
    is_refused(repository, "minor", why="CHANGELOG.md has nothing under '## [Unreleased]'.")


def test_the_version_stands_in_one_place() -> None:
    """And it is one that a release can follow."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", ingestion.__version__)
    assert 'dynamic = ["version"]' in (BASE_DIR / "pyproject.toml").read_text()


def is_refused(repository: Repository, asked: str, *, why: str) -> None:
    before = repository.state
    done = repository.release(asked, "--yes")
    assert done.returncode == 1
    assert done.stderr.startswith("Refused: ")
    assert why in done.stderr
    assert repository.state == before
