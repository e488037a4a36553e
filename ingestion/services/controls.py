"""What operators set for the whole pool or one CRM: how many may run, and what starts nothing now."""

from __future__ import annotations

from datetime import datetime

from ingestion.pool.controls import PoolControls
from ingestion.pool.errors import UnknownSource
from ingestion.services import limits
from ingestion.services.routing import known_crms, normalize_source
from ingestion.services.task_life import TaskLife


class Controlling(TaskLife):
    """Each counts for every process at once, and for good: until it is changed, or until
    ``expires_at`` (an aware datetime to come). Errors: InvalidControl, UnknownSource."""

    def controls(self) -> PoolControls:
        """The limits and pauses in force, with who, when, why and until when."""
        self._restore_limits()
        return self._store.controls()

    def get_max_workers(self) -> int:
        self._restore_limits()
        return self._store.limit().max_workers

    def set_max_workers(
        self,
        max_workers: int,
        *,
        actor: str = "",
        reason: str = "",
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """How many tasks run at once. With an end, the lasting limit holds again afterwards.
        Raises InvalidLimit."""
        made = limits.set_limit(
            self._store, max_workers, actor=actor, reason=reason, expires_at=expires_at
        )
        return self._controlled(made)

    def set_crm_limit(
        self,
        crm_source: str,
        max_workers: int | None,
        *,
        actor: str = "",
        reason: str = "",
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """How many tasks of one CRM run at once; None takes its limits away. Raises InvalidLimit."""
        made = limits.set_limit(
            self._store,
            max_workers,
            actor=actor,
            reason=reason,
            crm_source=_known_crm(crm_source),
            expires_at=expires_at,
        )
        return self._controlled(made)

    def pause(
        self,
        crm_source: str | None = None,
        *,
        actor: str = "",
        reason: str = "",
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """Start nothing of one CRM, or nothing at all. What runs goes on."""
        crm = None if crm_source is None else _known_crm(crm_source)
        made = limits.pause(self._store, crm, actor=actor, reason=reason, expires_at=expires_at)
        return self._controlled(made)

    def resume(
        self, crm_source: str | None = None, *, actor: str = "", reason: str = ""
    ) -> PoolControls:
        """End the pause of one CRM, or that of the pool; not both."""
        crm = None if crm_source is None else _known_crm(crm_source)
        return self._controlled(limits.resume(self._store, crm, actor=actor, reason=reason))

    def _controlled(self, made: PoolControls) -> PoolControls:
        self._limits_are_restored = True
        self._advance()
        return made


def _known_crm(crm_source: str) -> str:
    source = normalize_source(crm_source)
    if source not in known_crms():
        raise UnknownSource(f"Unknown CRM {source[:50]!r}; known are: {', '.join(known_crms())}.")
    return source
