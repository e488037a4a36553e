"""Who decides, as the database says it, looked up at most once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from ingestion.models import PoolReferee
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.database import times_lost, told_as_unavailable

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A database that is away is not asked by every call: each may have to wait for it.
LOOK_AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class InForce:
    """``is_degraded``: the ledger decides, ``since`` when and for which ``reason``, at least until
    ``stays_until``."""

    epoch: int
    is_degraded: bool
    since: datetime | None
    reason: str
    stays_until: datetime | None


@dataclass(frozen=True)
class LedgerLost:
    """The database does not answer this process."""

    since: datetime
    problem: LedgerUnavailable


def in_force() -> InForce:
    """Raises LedgerUnavailable."""
    with told_as_unavailable():
        record = PoolReferee.objects.look()
    return InForce(
        record.epoch, record.is_degraded, record.since, record.reason, record.stays_until
    )


class WhoDecides:
    """One process's knowledge. While the database is away it goes by what it knew last, and
    ``ledger_lost`` says so."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ledger_lost: LedgerLost | None = None
        self._clock = clock
        self._seen: InForce | None = None
        self._seen_until = 0.0
        self._times_lost = 0

    def look(self, *, needs_ledger: bool = False) -> InForce:
        """Raises LedgerUnavailable when nothing was ever known, or with ``needs_ledger`` when it
        cannot be known now."""
        seen = self._seen
        if seen is None or self._clock() >= self._seen_until or self._is_newly_lost():
            seen = self._look_again()
        if needs_ledger and self.ledger_lost:
            raise self.ledger_lost.problem
        return seen

    def forget(self) -> None:
        """The next look asks the database."""
        self._seen_until = 0.0

    def _is_newly_lost(self) -> bool:
        """Somebody else in this process has found the database away since the last look."""
        return self.ledger_lost is None and times_lost() != self._times_lost

    def _look_again(self) -> InForce:
        self._times_lost = times_lost()
        try:
            seen = in_force()
        except LedgerUnavailable as problem:
            return self._without_ledger(problem)
        if self.ledger_lost is not None:
            logger.warning("the ledger can be asked again")
        self._tell_change(seen)
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

    def _tell_change(self, seen: InForce) -> None:
        was_degraded = self._seen is not None and self._seen.is_degraded
        if seen.is_degraded and not was_degraded:
            logger.warning("degraded since %s: %s", seen.since, seen.reason)
        elif was_degraded and not seen.is_degraded:
            logger.warning("no longer degraded: %s", seen.reason)
