"""The active store, Redis or the ledger: as the database says it, read at most once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from ingestion.models import ActiveStoreState
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.failover import installation
from ingestion.services.infra.database import as_unavailable, times_lost

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# While the database is away not every call tries it: each might have to wait for a timeout.
LOOK_AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class InForce:
    """Which store is active: the ledger if ``is_degraded``, ``since`` when and for which
    ``reason``, at least until ``stays_until``; else Redis. ``epoch`` is that of its state,
    ``installation`` the one to which it belongs ('' before one was made)."""

    epoch: int
    is_degraded: bool
    since: datetime | None
    reason: str
    stays_until: datetime | None
    installation: str = ""


@dataclass(frozen=True)
class LedgerLost:
    """The database does not answer this process."""

    since: datetime
    problem: LedgerUnavailable


def in_force() -> InForce:
    """The active store as it stands in the database now. Raises LedgerUnavailable."""
    with as_unavailable():
        record = ActiveStoreState.objects.look()
    return InForce(
        record.epoch,
        record.is_degraded,
        record.since,
        record.reason,
        record.stays_until,
        record.installation,
    )


class ActiveStore:
    """What this process knows of the active store. While the database cannot be reached, that is
    what it read last, and ``ledger_lost`` says since when."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ledger_lost: LedgerLost | None = None
        self._clock = clock
        self._seen: InForce | None = None
        self._seen_until = 0.0
        self._times_lost = 0

    def look(self, *, needs_ledger: bool = False) -> InForce:
        """The active store. While the database cannot be reached, raises LedgerUnavailable if it
        was never read before, or if ``needs_ledger``."""
        seen = self._seen
        if seen is None or self._clock() >= self._seen_until or self._is_newly_lost():
            seen = self._look_again()
        if needs_ledger and self.ledger_lost:
            raise self.ledger_lost.problem
        return seen

    def forget(self) -> None:
        """The next ``look`` reads the database again."""
        self._seen_until = 0.0

    def _is_newly_lost(self) -> bool:
        """Other code in this process has failed to reach the database since the last look."""
        return self.ledger_lost is None and times_lost() != self._times_lost

    def _look_again(self) -> InForce:
        self._times_lost = times_lost()
        try:
            if self._seen is None or not self._seen.installation:
                installation.agree()
            seen = in_force()
        except LedgerUnavailable as problem:
            return self._without_ledger(problem)
        if self.ledger_lost is not None:
            logger.warning("the ledger can be asked again")
        self._log_change(seen)
        self._seen, self.ledger_lost = seen, None
        self._seen_until = self._clock() + LOOK_SECONDS
        return seen

    def _without_ledger(self, problem: LedgerUnavailable) -> InForce:
        if self.ledger_lost is None:
            logger.warning("the ledger cannot be asked who decides: %s", problem)
            self.ledger_lost = LedgerLost(timezone.now(), problem)
        if self._seen is None:
            raise problem
        self._seen_until = self._clock() + LOOK_AGAIN_SECONDS
        return self._seen

    def _log_change(self, seen: InForce) -> None:
        was_degraded = self._seen is not None and self._seen.is_degraded
        if seen.is_degraded and not was_degraded:
            logger.warning("degraded since %s: %s", seen.since, seen.reason)
        elif was_degraded and not seen.is_degraded:
            logger.warning("no longer degraded: %s", seen.reason)
