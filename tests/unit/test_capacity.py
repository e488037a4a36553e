"""The arithmetic of docs/capacity.md gives known results, and the page shows what the program prints."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import pytest

from benchmarks.capacity.__main__ import main
from benchmarks.capacity.costs import Costs
from benchmarks.capacity.queueing import (
    at_full_hours,
    at_random,
    chance_to_wait,
    mean_wait_seconds,
    waits,
)
from benchmarks.capacity.resources import Load, resources

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "capacity.md").read_text()
SHOWN = re.compile(r"\$ python -m benchmarks\.capacity (--workers.*)\n((?:.*\n)*?)```")
LOAD = Load(workers=100, tasks_per_day=864_000, task_seconds=6, workers_per_host=10, queued=1000)


@pytest.mark.parametrize(
    ("offered", "slots", "chance"),
    [
        (0.0, 3, 0.0),
        (0.5, 1, 0.5),  # one slot: its load
        (1.0, 2, 1 / 3),  # by hand: (1/2 * 2) / (1 + 1 + 1/2 * 2)
        (2.0, 3, 4 / 9),  # by hand: (8/6 * 3) / (1 + 2 + 2 + 8/6 * 3)
        (10.0, 12, 0.4493882),  # by the sum over factorials, below
        (5.0, 5, 1.0),
    ],
)
def test_erlangs_chance_to_wait(offered: float, slots: int, chance: float) -> None:
    assert chance_to_wait(offered, slots) == pytest.approx(chance, rel=1e-6)


def test_it_is_the_sum_over_factorials() -> None:
    for offered, slots in ((10.0, 12), (55.0, 60), (0.3, 4)):
        last = offered**slots / math.factorial(slots) * slots / (slots - offered)
        others = sum(offered**k / math.factorial(k) for k in range(slots))
        assert chance_to_wait(offered, slots) == pytest.approx(last / (others + last))


def test_of_one_slot_the_wait_is_that_of_the_textbook() -> None:
    """ρ/(1 − ρ) times the length of a task."""
    assert mean_wait_seconds(0.5, 1.0, 1) == pytest.approx(1.0)
    assert mean_wait_seconds(0.8, 1.0, 1) == pytest.approx(4.0)
    assert mean_wait_seconds(1.0, 1.0, 1) == math.inf


def test_the_simulation_finds_what_the_formula_says() -> None:
    found = waits(at_random(8.0, 200_000), 1.0, 10)

    assert sum(found) / len(found) == pytest.approx(mean_wait_seconds(8.0, 1.0, 10), rel=0.05)
    assert sum(wait > 0 for wait in found) / len(found) == pytest.approx(0.4092, rel=0.05)


def test_what_comes_at_full_hours_waits_for_its_own() -> None:
    """3 600 tasks of a second in 10 slots are done after 360 s; the mean of them waits for half."""
    found = waits(at_full_hours(1.0, 3600), 1.0, 10)

    assert sum(found) / len(found) == pytest.approx(180, rel=0.05)
    assert found[:10] == [0.0] * 10


def test_what_a_load_needs() -> None:
    """10 tasks a second, 6 s each, on 10 hosts."""
    need = {one.name: one.need for one in resources(LOAD, Costs(commits=4, wal_bytes=1000))}

    assert need["slots"] == pytest.approx(60)
    assert need["PostgreSQL: commits"] == pytest.approx(40)
    assert need["PostgreSQL: WAL"] == pytest.approx(0.01)
    assert need["PostgreSQL: connections"] == 32 + 100 + 10


def test_used_up_where_the_need_is_what_there_is() -> None:
    for one in resources(LOAD, Costs()):
        assert one.fixed + one.times * one.growing == pytest.approx(max(one.has, one.fixed))


def test_the_page_shows_what_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    shown = SHOWN.search(PAGE)
    assert shown
    assert main(shlex.split(shown[1])) == 0
    assert capsys.readouterr().out == shown[2]


def test_more_than_the_workers_end_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workers", "10", "--task-seconds", "60", "--tasks-per-day", "864000"]) == 0
    assert "the queue grows for ever" in capsys.readouterr().out


def test_a_cost_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--flush-ms", "0"])
    assert "a number above 0" in capsys.readouterr().err
