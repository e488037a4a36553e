"""What README and the pages of docs/ point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@EACH
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\btest_\w+\.py\b", page.read_text()))
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


@EACH
def test_every_link_to_a_file_leads_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@EACH
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:ingestion|data_warehouse|services|pool|sync|tests)/[\w/]+\.py)`", page.read_text()
    )
    roots = (ROOT, ROOT / "ingestion")
    real = [name for name in named if "acme" not in name]  # the example of adding_a_crm.md
    assert [name for name in real if not any((root / name).exists() for root in roots)] == []


@EACH
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets
