"""Arrivy's tasks: a schedule that is read by parts. No task lies outside of all of them, and a part
that is cut without a word is read again in smaller ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request

from ingestion.sync.arrivy.source import Source
from tests.truth.sandboxed import verified
from tests.truth.world import World, serve

NOW = datetime.now(UTC).replace(microsecond=0)


class Schedule:
    """``days``: of each task, from today on. ``cut_at``: so many tasks a query gives at most."""

    def __init__(self, days: dict[int, float], cut_at: int = 10**6) -> None:
        self.days, self.cut_at = days, cut_at

    def begin(self, world: World, server: HTTPServer) -> None:
        world.use(
            "arrivy",
            {
                "ARRIVY_BASE_URL": serve(server, self.answer),
                "ARRIVY_AUTH_KEY": "k",
                "ARRIVY_AUTH_TOKEN": "t",
                "ARRIVY_REQUESTS_PER_MINUTE": "60000",
                "ARRIVY_HISTORY_START": f"{NOW - timedelta(days=300):%Y-%m-%d}",
            },
        )

    def answer(self, request: Request) -> Any:
        if "from" not in request.args:
            return []
        low, high = (datetime.fromisoformat(request.args[name]) for name in ("from", "to"))
        found = [i for i in self.days if low <= self.start(i) < high][: self.cut_at]
        size, page = int(request.args["items_per_page"]), int(request.args["page"])
        return [
            {"id": i, "start_datetime": self.start(i).isoformat(), "title": f"day {self.days[i]}"}
            for i in found[(page - 1) * size : page * size]
        ]

    def start(self, task: int) -> datetime:
        return NOW + timedelta(days=self.days[task])


@pytest.mark.parametrize("mode", ["delta", "full"])
def test_a_task_that_is_moved_far_ahead_is_read(
    world: World, httpserver: HTTPServer, mode: str
) -> None:
    schedule = Schedule({1: 5, 2: 6, 3: 170})
    schedule.begin(world, httpserver)
    world.sync("tasks")
    schedule.days |= {1: 300, 4: 3000}
    result = world.sync("tasks", mode=mode)
    assert (result.warning, result.deleted) == (None, 0)
    found = [(1, "day 300"), (2, "day 6"), (3, "day 170"), (4, "day 3000")]
    assert world.rows("tasks", "id", "title") == found


def test_a_part_of_the_schedule_that_is_cut_is_read_in_smaller_ones(
    world: World, httpserver: HTTPServer
) -> None:
    schedule = Schedule({i: i / 25 for i in range(1, 2001)}, cut_at=1000)
    schedule.begin(world, httpserver)
    assert world.sync("tasks").warning is None
    assert world.rows("tasks", "id") == sorted(range(1, 2001), key=repr)


def test_a_day_that_may_have_been_cut_makes_the_run_partial(
    world: World, httpserver: HTTPServer
) -> None:
    schedule = Schedule({i: 2 + i / 10**6 for i in range(1, 1201)}, cut_at=1000)
    schedule.begin(world, httpserver)
    warning = world.sync("tasks").warning or ""
    assert "gave 1000 tasks for" in warning
    assert "there may be more" in warning


@pytest.mark.django_db
def test_tasks_far_ahead_that_no_part_has_are_missed_by_verification(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a query of the whole schedule is cut before it comes to them."""
    schedule = Schedule({**{i: 10 * i - 100 for i in range(1, 16)}, 99: 3000}, cut_at=12)
    schedule.begin(world, httpserver)
    slices = Source._slices
    monkeypatch.setattr(Source, "_slices", lambda self, window: list(slices(self, window))[:-1])
    world.sync("tasks")
    assert len(world.rows("tasks", "id")) == 15
    report = verified(world, "tasks")
    assert (report.is_equal, report.unread) == (False, 1)
    assert report.examples == ["unread 99: it is found by its key, and no page has it"]
