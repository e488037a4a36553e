"""The standard set, every two minutes for half an hour, through two slots, against slow CRMs.

Real beats, a real worker, real syncs; only the time is compressed, twelve times: a schedule runs
every ten seconds. The CRMs' limits are not: within the same windows they meet twelve times the
requests, and HubSpot's burst limit is so low that the syncs have to be held back. Every sandbox
counts its requests itself, and refuses what is too much as its CRM does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingestion.services.scheduling.standard import STANDARD
from ingestion.services.system import embedded_redis
from sandbox.serving.server import SandboxServer
from tests.e2e.crowd import (
    EVERY_SECONDS,
    TURNS,
    assert_no_limit_passed,
    budgets,
    slow_crms,
    usual_limits,
)
from tests.e2e.live import Live
from tests.integration.system import ROOT, wait_for
from tests.missing import cannot_have

pytestmark = [pytest.mark.crowd, pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

RESULTS = ROOT / "test-results"
SLOTS = 2
# A busy machine takes longer until every route has run twice.
LONGEST_SECONDS = 900


@dataclass(frozen=True)
class Ran:
    route: str
    status: str
    start: datetime
    end: datetime

    @property
    def took(self) -> timedelta:
        return self.end - self.start


class Crowd:
    """The system while it runs, and what was seen of it."""

    def __init__(self, live: Live, sandbox: SandboxServer) -> None:
        self.live = live
        self.sandbox = sandbox
        self.most_queued = 0
        self.most_active = 0

    def watch(self) -> None:
        """For all turns, and until every route has run twice."""
        over_at = time.monotonic() + TURNS * EVERY_SECONDS

        def is_over() -> bool:
            stats = self.live.call("get_stats")
            self.most_queued = max(self.most_queued, stats["queued_count"])
            self.most_active = max(self.most_active, stats["active_count"])
            return time.monotonic() > over_at and self._has_run_twice()

        wait_for(is_over, what="two runs of every route", seconds=LONGEST_SECONDS, every=0.5)

    def _has_run_twice(self) -> bool:
        by_route = by_routes(self.runs())
        return len(by_route) == len(STANDARD) and all(len(r) > 1 for r in by_route.values())

    def runs(self) -> list[Ran]:
        """Those that have ended, by their start."""
        rows = (row for row in self.live.call("all_rows") if row["end_time"])
        found = [
            Ran(
                f"{row['crm_source']}.{row['sync_type']}",
                row["status"],
                datetime.fromisoformat(row["start_time"]),
                datetime.fromisoformat(row["end_time"]),
            )
            for row in rows
        ]
        return sorted(found, key=lambda ran: ran.start)


def by_routes(runs: Sequence[Ran]) -> dict[str, list[Ran]]:
    found: dict[str, list[Ran]] = defaultdict(list)
    for ran in runs:
        found[ran.route].append(ran)
    return dict(found)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with slow_crms(tmp_path / "sandbox") as server:
        yield server


@pytest.fixture
def crowd(sandbox: SandboxServer, tmp_path: Path) -> Iterator[Crowd]:
    data = tmp_path / "redis"
    data.mkdir()
    try:
        redis = embedded_redis.start(data, durable=False)
    except embedded_redis.NoRedisServer as problem:
        cannot_have("A Redis server", problem)
    system = Live(tmp_path / "system", redis, environment(sandbox, tmp_path))
    try:
        system.prepare()
        system.start_worker()
        yield Crowd(system, sandbox)
    finally:
        system.stop()


def environment(sandbox: SandboxServer, folder: Path) -> dict[str, str]:
    return {
        **usual_limits(sandbox),
        "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
        "MAX_SYNC_WORKERS": str(SLOTS),
        "WAREHOUSE_URL": f"sqlite:///{folder / 'warehouse.sqlite3'}",
    }


@pytest.mark.parametrize("beats", [1, 2])
def test_half_an_hour_of_the_standard_set(crowd: Crowd, beats: int) -> None:
    crowd.live.call("load_crowd", EVERY_SECONDS)
    for _ in range(beats):
        crowd.live.start_beat()
    crowd.watch()
    runs = crowd.runs()
    crowd.live.stop()

    tell(crowd, runs, beats=beats)
    assert {ran.status for ran in runs} == {"success"}
    assert crowd.most_active <= SLOTS
    assert crowd.most_queued <= len(STANDARD)
    assert_fresh(by_routes(runs))
    assert_once_per_interval(by_routes(runs)["hubspot.associations"])
    assert_no_limit_passed(crowd.sandbox)


def assert_fresh(routes: dict[str, list[Ran]]) -> None:
    """A turn may come up to two intervals after the last run, finds at most every other route once
    before it, two of which run at a time, and then takes its own time."""
    longest = {route: max(ran.took for ran in runs) for route, runs in routes.items()}
    others = sum(longest.values(), timedelta()) / SLOTS
    for route, runs in routes.items():
        bound = 2 * timedelta(seconds=EVERY_SECONDS) + others + longest[route]
        for before, after in pairwise(runs):
            assert after.end - before.end <= bound, route


def assert_once_per_interval(runs: Sequence[Ran]) -> None:
    """Two beats take no more turns than one; a turn is at least three quarters of an interval
    after the last. What waited may start sooner after a run that started late."""
    spent = (runs[-1].start - runs[0].start) / timedelta(seconds=EVERY_SECONDS)
    assert len(runs) <= spent / 0.75 + 2


def tell(crowd: Crowd, runs: Sequence[Ran], *, beats: int) -> None:
    """The figures, for people, whatever comes of them."""
    lines = [f"{beats} beats: {len(runs)} runs, at most {crowd.most_queued} tasks in the queue"]
    lines += budgets(crowd.sandbox)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"schedules-{beats}-beats.txt").write_text("\n".join(lines) + "\n")
