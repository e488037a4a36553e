"""By when a dataset must have been loaded again: by its schedule, or by a declared bound.

A bound that an operator has set stands before one in the CRM's table, and both stand before the
schedules. Runs by hand promise nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.utils import timezone

from ingestion.models import FreshnessBound, SyncSchedule
from ingestion.services.beat.entries import is_live
from ingestion.services.beat.recurrence import Recurrence, recurrence_of
from ingestion.services.requests.routing import ALL
from ingestion.services.scheduling.route_costs import Cost, costs_of
from ingestion.sync.common.source import Crm, Model

# A scheduled load may wait a while for a slot: a tenth of the schedule's interval, within these.
GRACE_SHARE = 0.1
SHORTEST_GRACE_SECONDS, LONGEST_GRACE_SECONDS = 60.0, 3600.0

DatasetName = tuple[str, str]


class PromiseKind(StrEnum):
    SCHEDULE = "schedule"
    SETTING = "setting"
    TABLE = "table"


class Promise(Protocol):
    """``expected_seconds``: how old the data gets while all goes well. ``grace_seconds``: for so
    long after it was due a load is not called late."""

    @property
    def kind(self) -> PromiseKind: ...

    @property
    def words(self) -> str: ...

    @property
    def expected_seconds(self) -> float: ...

    @property
    def grace_seconds(self) -> float: ...

    def due_at(self, loaded_at: datetime | None, first_try_at: datetime | None) -> datetime | None:
        """By when the next load must have ended; None: nothing can be said."""


@dataclass(frozen=True)
class Bound:
    """At most so old, whatever loads it. ``since``: when it was set; None for the CRM's table."""

    kind: PromiseKind
    expected_seconds: float
    since: datetime | None = None
    grace_seconds: float = 0.0

    @property
    def words(self) -> str:
        where = "set by an operator" if self.kind == PromiseKind.SETTING else "by the CRM's table"
        return f"at most {_hours(self.expected_seconds)} old, {where}"

    def due_at(self, loaded_at: datetime | None, first_try_at: datetime | None) -> datetime | None:
        """What was never loaded counts from the moment when somebody wanted it."""
        start = loaded_at or self.since or first_try_at
        return start + timedelta(seconds=self.expected_seconds) if start else None


@dataclass(frozen=True)
class Scheduled:
    """Loaded again at the schedule's next time, plus what the run usually takes."""

    schedule_id: int
    name: str
    recurrence: Recurrence
    since: datetime
    run_seconds: float
    kind: PromiseKind = PromiseKind.SCHEDULE

    @property
    def words(self) -> str:
        return f"{self.recurrence.words}, by the schedule {self.name!r}"

    @property
    def expected_seconds(self) -> float:
        return self.recurrence.gap_seconds + self.run_seconds

    @property
    def grace_seconds(self) -> float:
        wanted = self.recurrence.gap_seconds * GRACE_SHARE
        return min(max(wanted, SHORTEST_GRACE_SECONDS), LONGEST_GRACE_SECONDS)

    def due_at(self, loaded_at: datetime | None, first_try_at: datetime | None) -> datetime | None:
        """A schedule owes nothing for the time before it was switched on."""
        start = max(loaded_at or self.since, self.since)
        return self.recurrence.next_after(start) + timedelta(seconds=self.run_seconds)


@dataclass(frozen=True)
class Promises:
    """Of all datasets, read at one moment. ``schedules`` are those of a (CRM, model), switched
    off ones too; those of all models of a CRM count for each."""

    bounds: Mapping[DatasetName, Bound]
    schedules: Mapping[DatasetName, Sequence[SyncSchedule]]
    costs: Mapping[DatasetName, Cost]
    now: datetime

    def of(self, crm: Crm, model: Model) -> tuple[Promise, ...]:
        """The bound alone, or every schedule; none: nothing is promised."""
        if bound := self.bounds.get((crm.name, model.name)):
            return (bound,)
        if declared := model.freshness or crm.freshness:
            return (Bound(PromiseKind.TABLE, declared.total_seconds()),)
        return tuple(self._live(crm.name, model.name))

    def schedules_of(self, crm_source: str, model: str) -> list[SyncSchedule]:
        return [
            *self.schedules.get((crm_source, model), ()),
            *self.schedules.get((crm_source, ALL), ()),
        ]

    def _live(self, crm_source: str, model: str) -> Iterator[Promise]:
        for schedule in self.schedules_of(crm_source, model):
            if is_live(schedule, self.now):
                cost = self.costs.get((schedule.crm_source, schedule.model_name), Cost())
                yield Scheduled(
                    schedule.pk,
                    schedule.name,
                    recurrence_of(schedule),
                    schedule.in_force_since or schedule.created_at,
                    cost.seconds or 0.0,
                )


def read_promises() -> Promises:
    """Three queries, however many datasets there are. Raises DatabaseError."""
    by_route: dict[DatasetName, list[SyncSchedule]] = defaultdict(list)
    for schedule in SyncSchedule.objects.all():
        by_route[schedule.crm_source, schedule.model_name].append(schedule)
    return Promises(_bounds(), by_route, costs_of(by_route), timezone.now())


def _bounds() -> dict[DatasetName, Bound]:
    rows: Any = FreshnessBound.objects.all()
    return {
        (row.crm_source, row.model): Bound(PromiseKind.SETTING, row.seconds, row.set_at)
        for row in rows
    }


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
