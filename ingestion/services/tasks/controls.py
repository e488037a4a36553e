"""What operators set for the whole pool or one CRM: how many may run, and what starts nothing now."""

from __future__ import annotations

from datetime import datetime

from ingestion.conf import PoolConf
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import PoolControls
from ingestion.pool.store import PoolStore
from ingestion.services.requests.routing import known_crms, normalize_source, unknown_source
from ingestion.services.tasks import aging, limits
from ingestion.services.tasks.upkeep import Upkeep


class ControlActions:
    """Each counts for every process at once, and for good: until it is changed, or until
    ``expires_at`` (an aware datetime to come). Errors: InvalidControl, UnknownSource."""

    def __init__(self, store: PoolStore, *, conf: PoolConf, upkeep: Upkeep) -> None:
        self._store = store
        self._aging_seconds = conf.priority_aging_seconds
        self._upkeep = upkeep

    def controls(self) -> PoolControls:
        """The limits and pauses in force, with who, when, why and until when."""
        self._upkeep.restore_limits()
        return self._store.controls()

    def get_max_workers(self) -> int:
        self._upkeep.restore_limits()
        return self._store.limit().max_workers

    def set_max_workers(
        self,
        max_workers: int,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """How many tasks run at once. With an end, the lasting limit holds again afterwards.
        Raises InvalidLimit."""
        made = limits.set_limit(self._store, max_workers, change=change, expires_at=expires_at)
        return self._controlled(made)

    def set_crm_limit(
        self,
        crm_source: str,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """How many tasks of one CRM run at once; None takes its limits away. Raises InvalidLimit."""
        made = limits.set_limit(
            self._store,
            max_workers,
            change=change,
            crm_source=_known_crm(crm_source),
            expires_at=expires_at,
        )
        return self._controlled(made)

    def pause(
        self,
        crm_source: str | None = None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """Start nothing of one CRM, or nothing at all. What runs goes on."""
        crm = None if crm_source is None else _known_crm(crm_source)
        made = limits.pause(self._store, crm, change=change, expires_at=expires_at)
        return self._controlled(made)

    def resume(
        self, crm_source: str | None = None, *, change: ChangeRequest = UNSIGNED
    ) -> PoolControls:
        """End the pause of one CRM, or that of the pool; not both."""
        crm = None if crm_source is None else _known_crm(crm_source)
        return self._controlled(limits.resume(self._store, crm, change=change))

    def set_priority_aging(
        self, seconds: float, *, change: ChangeRequest = UNSIGNED
    ) -> PoolControls:
        """How many seconds of waiting one level of priority is worth; 0: priority is strict. What
        waits is put into its new order before anything else starts."""
        aging.change(self._store, seconds, default=self._aging_seconds, change=change)
        return self._controlled(self._store.controls())

    def _controlled(self, made: PoolControls) -> PoolControls:
        self._upkeep.advance()
        return made


def _known_crm(crm_source: str) -> str:
    source = normalize_source(crm_source)
    if source not in known_crms():
        raise unknown_source(source, known_crms())
    return source
