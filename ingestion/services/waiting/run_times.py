"""How long syncs run, learned from the last ones: of a route, of its CRM, or of all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import F, Q

from ingestion.models import SyncHistory
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.infra.database import as_unavailable

# Fewer runs than this say little; the runs of the CRM, then all runs, are asked instead.
FEWEST_RUNS = 5
MOST_RUNS = 100
KEEP_SECONDS = 60.0
TOOK_A_SLOT = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL, SyncHistory.Status.FAILED)


@dataclass(frozen=True)
class Learned:
    """The run times of past runs in seconds, the latest first; ``based_on`` says which runs:
    ``of_route`` those of the very route, ``of_crm`` any of its CRM."""

    seconds: tuple[float, ...] = ()
    based_on: str = "no past runs"
    of_route: bool = False
    of_crm: bool = False

    @property
    def is_known(self) -> bool:
        return bool(self.seconds)


NOTHING = Learned()


# (crm_source or None for all, sync_type or None for all) -> seconds, the latest first.
Fetch = Callable[[str | None, str | None], Sequence[float]]


def from_ledger(crm_source: str | None, sync_type: str | None) -> Sequence[float]:
    """The latest runs that took a slot. Raises LedgerUnavailable."""
    # A row that ended without an attempt never left the queue.
    ran = Q(worker_pool_task_id=None) | Q(attempt__gt=0)
    rows = SyncHistory.objects.filter(ran, status__in=TOOK_A_SLOT, end_time__gt=F("start_time"))
    if crm_source is not None:
        rows = rows.filter(crm_source=crm_source)
    if sync_type is not None:
        rows = rows.filter(sync_type=sync_type)
    latest = rows.order_by("-start_time").values_list("start_time", "end_time")[:MOST_RUNS]
    with as_unavailable():
        return [(end - start).total_seconds() for start, end in latest if end]


class RunTimes:
    """What was learned, kept for ``keep_seconds`` in this process: a long queue asks the ledger
    once per route, and a ledger that is away is not asked again before."""

    def __init__(
        self,
        fetch: Fetch = from_ledger,
        *,
        keep_seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Everything is asked again."""
        with self._lock:
            self._known: dict[tuple[str | None, str | None], tuple[float, ...]] = {}
            self._is_away = False
            self._since = self._clock()

    def of(self, crm_source: str, sync_type: str) -> Learned:
        """Of the route, else of its CRM, else of all runs, whichever has enough."""
        return self._first_known((crm_source, sync_type), (crm_source, None), (None, None))

    def of_crm(self, crm_source: str) -> Learned:
        """Of the CRM, whatever its runs loaded, else of all runs."""
        return self._first_known((crm_source, None), (None, None))

    def _first_known(self, *wanted: tuple[str | None, str | None]) -> Learned:
        for crm, kind in wanted:
            seconds = self._seconds(crm, kind)
            if len(seconds) >= FEWEST_RUNS:
                return Learned(
                    seconds,
                    f"the last {len(seconds)} runs of {_name(crm, kind)}",
                    of_route=kind is not None,
                    of_crm=crm is not None,
                )
        return NOTHING

    def _seconds(self, crm_source: str | None, sync_type: str | None) -> tuple[float, ...]:
        wanted = (crm_source, sync_type)
        with self._lock:
            if self._clock() - self._since >= self._keep_seconds:
                self.forget()
            if wanted not in self._known and not self._is_away:
                self._ask(wanted)
            return self._known.get(wanted, ())

    def _ask(self, wanted: tuple[str | None, str | None]) -> None:
        try:
            self._known[wanted] = tuple(self._fetch(*wanted))
        except LedgerUnavailable:
            self._is_away = True


def _name(crm_source: str | None, sync_type: str | None) -> str:
    if crm_source is None:
        return "any CRM"
    return f"any sync of {crm_source}" if sync_type is None else f"{crm_source}.{sync_type}"


# Those of this process.
run_times = RunTimes()
