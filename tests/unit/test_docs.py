"""What README and the pages of docs/ point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.pool_shell import own_options, subcommands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROOTS = (ROOT, ROOT / "ingestion")
TOPS = "sandbox|ingestion|data_warehouse|tests|benchmarks|services|pool|sync|management|models|views|api"
# Celery's own names, which are no modules.
TASKS = {"ingestion.run_ingestion"}
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
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(rf"(?<![\w/])(?:{TOPS})/[\w/]+\.(?:py|lua|sql)\b", page.read_text())
    real = [name for name in named if "acme" not in name]  # the example of adding_a_crm.md
    assert [name for name in real if not any((root / name).exists() for root in ROOTS)] == []


@EACH
def test_every_folder_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(rf"`((?:{TOPS})/[\w/]*/?)`", page.read_text())
    real = [name for name in named if "acme" not in name]
    assert [name for name in real if not any((root / name).is_dir() for root in ROOTS)] == []


@EACH
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    # Not what is called: ``pool.cancel_task(…)`` is a method of a variable.
    dotted = rf"(?<![\w/.])(?:{TOPS})(?:\.[a-z]\w*)+(?![\w(]|\.\w)"
    named = set(re.findall(dotted, page.read_text()))
    names = named - TASKS - {name for name in named if name.endswith((".py", ".md"))}
    assert sorted(name for name in names if not is_module(name)) == []


def is_module(name: str) -> bool:
    """A module, a package, or something in a module."""
    return any(_leads_to_one(root, name.split(".")) for root in ROOTS)


def _leads_to_one(root: Path, parts: list[str]) -> bool:
    """Whether it can be walked to its end, or to a file behind which a name follows."""
    for part in parts:
        if (root / f"{part}.py").exists():
            return True
        root = root / part
    return (root / "__init__.py").exists()


def test_a_module_that_is_not_there_is_seen() -> None:
    assert is_module("ingestion.services.worker_pool.get_worker_pool")
    assert is_module("pool.redis.store")
    assert not is_module("pool.redis_store")
    assert not is_module("services.task_run")


def test_the_glossary_explains_25_terms_at_most_and_every_page_leads_to_it() -> None:
    terms = re.findall(r"^\| (\w[\w ]*) \|", GLOSSARY.read_text(), re.MULTILINE)[1:]
    assert terms == sorted(set(terms))
    assert 20 <= len(terms) <= 25
    others = [page for page in PAGES if page not in (GLOSSARY, ROOT / "CHANGELOG.md")]
    assert [page.name for page in others if "glossary.md" not in page.read_text()] == []


@EACH
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets


@pytest.mark.parametrize("name", sorted(subcommands("manage_worker_pool")))
def test_every_option_of_a_pool_command_stands_in_the_quick_reference(name: str) -> None:
    commands = (ROOT / "docs/worker_pool_quick_reference.md").read_text().split("## Routes")[0]
    table, _, of_all = commands.rpartition("\n|")
    rows = [row for row in table.splitlines() if re.search(rf"[` ]{name}[` ]", row)]
    said = " ".join([*rows, of_all])
    options = [option.option_strings[-1] for option in own_options(name)]
    missing = [option for option in options if not re.search(rf"{option}\b", said)]
    assert rows, f"docs/worker_pool_quick_reference.md has no row for {name}"
    assert missing == [], f"docs/worker_pool_quick_reference.md forgets options of {name}"
