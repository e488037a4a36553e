"""The standard set, every two minutes, against two slow slots."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine

from ingestion.models import SyncSchedule
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.beat.recurrence import recurrence_of, runs_after
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.standard import STANDARD, fields_of
from ingestion.services.worker_pool import use_worker_pool
from ingestion.tasks_enhanced import run_ingestion
from tests.unit.pool_fixtures import Bench

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SPAN = timedelta(minutes=30)
EVERY_MINUTES = 2
RUN_SECONDS = 20
# All of them one after the other through two slots, and an interval.
OLDEST = timedelta(seconds=len(STANDARD) * RUN_SECONDS / 2 + EVERY_MINUTES * 60)


class Crowd:
    """Fires what beats fire, ends runs when they are over, notes every start."""

    def __init__(self, bench: Bench, clock: time_machine.Coordinates) -> None:
        self.bench = bench
        self._clock = clock
        self.starts: dict[str, list[datetime]] = defaultdict(list)
        self._ends: dict[str, datetime] = {}
        self.most_queued = 0

    def move_to(self, moment: datetime) -> None:
        while self._ends and (first := min(self._ends.values())) <= moment:
            self._set(first)
            for task_id in [i for i, at in self._ends.items() if at == first]:
                del self._ends[task_id]
                outcome = Outcome(TaskStatus.COMPLETED)
                self.bench.pool.finish_task(task_id, attempt=1, outcome=outcome)
            self._look()
        self._set(moment)

    def fire(self, schedule_id: int) -> None:
        run_ingestion(schedule_id)
        self._look()

    def _set(self, moment: datetime) -> None:
        self._clock.move_to(moment)
        self.bench.clock.now = moment

    def _look(self) -> None:
        now = self.bench.clock.now
        for task in self.bench.pool.get_active_tasks():
            if task.confirmed_at is None:
                self.bench.confirm(task.id)
                self.starts[task.route].append(now)
                self._ends[task.id] = now + timedelta(seconds=RUN_SECONDS)
        self.most_queued = max(self.most_queued, len(self.bench.pool.get_queued_tasks()))


def moments(beats: int) -> list[tuple[datetime, int]]:
    """When which schedule is fired; a second beat is seven seconds behind the first."""
    found = [
        (at + timedelta(seconds=7 * beat), schedule.pk)
        for schedule in SyncSchedule.objects.all()
        for at in runs_after(
            recurrence_of(schedule), schedule.last_turn_at, count=100, until=START + SPAN
        )
        for beat in range(beats)
    ]
    return sorted(found)


@pytest.mark.django_db
@pytest.mark.parametrize("beats", [1, 2])
def test_the_queue_stays_short_and_every_route_fresh(beats: int) -> None:
    with time_machine.travel(START, tick=False) as clock:
        bench = Bench()
        with use_worker_pool(bench.pool):
            wanted = fields_of(STANDARD, execution="pool", every_minutes=EVERY_MINUTES)
            schedules.import_all(wanted)
            crowd = Crowd(bench, clock)
            for moment, schedule_id in moments(beats):
                crowd.move_to(moment)
                crowd.fire(schedule_id)
    assert crowd.most_queued <= len(STANDARD)
    assert len(crowd.starts) == len(STANDARD)
    for route, starts in crowd.starts.items():
        times = [START, *starts, START + SPAN]
        assert max(b - a for a, b in pairwise(times)) <= OLDEST, route
    turns = SPAN / timedelta(minutes=EVERY_MINUTES)
    assert len(crowd.starts["hubspot.associations"]) <= turns
