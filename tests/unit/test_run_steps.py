"""Where the seconds of a run went: each in one named step."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from ingestion.services.reporting.run_steps import WORDS, steps_of
from ingestion.sync.load.columns import steps as clocked
from ingestion.sync.load.columns.steps import Steps


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(clocked, "time", found)
    return found


def test_a_step_within_another_stops_the_outer_one(clock: Clock) -> None:
    steps = Steps()
    with steps.timed("other"):
        clock.now += 1
        with steps.timed("load"):
            clock.now += 10
            with steps.timed("list_keys"):
                clock.now += 100
            clock.now += 10
        clock.now += 1
        with steps.timed("load"):
            clock.now += 5
    clock.now += 1_000
    assert steps.seconds == {"other": 2, "load": 25, "list_keys": 100}


def test_a_step_that_fails_is_counted_and_ends(clock: Clock) -> None:
    steps = Steps()
    with steps.timed("other"):
        with suppress(ValueError), steps.timed("extract"):
            clock.now += 3
            raise ValueError
        clock.now += 4
    assert steps.seconds == {"extract": 3, "other": 4}


def run(**changes: Any) -> dict[str, Any]:
    return {
        "duration_seconds": 20.0,
        "seconds": {"start": 1.0, "finish": 1.0},
        "models": [
            {"model": "leads", "seconds": {"extract": 8.0, "load": 2.0}},
            {"model": "users", "seconds": {"extract": 4.0}},
            {"model": "older"},
        ],
        **changes,
    }


def test_the_steps_of_all_models_are_the_run_in_the_order_in_which_they_happen() -> None:
    found = [(s.name, s.seconds, s.start, s.share) for s in steps_of(run())]
    assert found == [
        ("start", 1, 0, 5),
        ("extract", 12, 5, 60),
        ("load", 2, 65, 10),
        ("finish", 1, 75, 5),
        ("outside", 4, 80, 20),
    ]
    assert all(step.words for step in steps_of(run()))


def test_a_step_of_another_release_is_shown_too() -> None:
    names = [s.name for s in steps_of(run(models=[{"model": "a", "seconds": {"fetch": 3.0}}]))]
    assert sorted(names) == ["fetch", "finish", "outside", "start"]
    assert "fetch" not in WORDS


@pytest.mark.parametrize("changes", [{"duration_seconds": None}, {"seconds": {}, "models": []}])
def test_nothing_is_drawn_of_a_run_that_has_not_told(changes: dict[str, Any]) -> None:
    assert steps_of(run(**changes)) == []
