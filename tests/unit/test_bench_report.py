"""The table of ``make bench`` and where README shows it."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import celery
import django

from benchmarks.pool.peers import versions
from benchmarks.pool.report import BEGIN, END, README, Figure, results, table, write

FIGURES = {
    ("submit", "pool"): [Figure(90.0, 2.0), Figure(100.0, 1.0), Figure(140.0, 0.9)],
    ("submit", "Celery"): [Figure(200.0, 0.5)],
    ("run", "pool"): [Figure(50.0, 3.0, (2.0, 9.0)), Figure(50.0, 3.0, (4.0, 11.0))],
}
FOUND = results(FIGURES, command="make bench", rounds=3, ledger="SQLite", versions={"rq": "2"})


def test_medians_and_their_ratios_to_celery() -> None:
    ours, celery, run = FOUND["figures"]
    assert (ours["per_second"], ours["to_celery"], ours["cpu_to_celery"]) == (100.0, 0.5, 2.0)
    assert celery["to_celery"] == 1.0
    assert (run["to_celery"], run["gap_ms"]) == (None, [3.0, 10.0])


def test_a_measure_without_celery_has_no_ratio() -> None:
    assert table(FOUND).splitlines()[-1] == "| run | pool | 50 |  | 3.00 |  | 3.0 / 10.0 |"


def test_only_what_stands_between_the_markers_is_written_again(tmp_path: Path) -> None:
    readme, file = tmp_path / "README.md", tmp_path / "results.json"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    for _ in range(2):
        write(FOUND, file=file, readme=readme)
    text = readme.read_text()
    assert text.startswith("above\n")
    assert text.endswith(f"{END}\nbelow\n")
    assert "old" not in text
    assert text.count("| submit | pool |") == 1
    assert json.loads(file.read_text()) == FOUND


def test_the_projects_own_readme_has_both_markers() -> None:
    text = README.read_text("utf-8")
    assert 0 <= text.find(BEGIN) < text.find(END)


def test_the_versions_of_what_was_measured() -> None:
    found = versions(sys.executable)
    assert found["Python"] == platform.python_version()
    assert (found["celery"], found["Django"]) == (celery.__version__, django.__version__)
