"""What operators set: limits, their overrides, pauses; each with who, when, why and until when.

A store keeps them by name: a kind (``max_workers``, ``override``, ``pause``), and after a colon
the CRM that is meant; without one it is the whole pool. ``override`` is a limit with an end: behind
it stands the lasting ``max_workers``, which holds again afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import InvalidControl, InvalidLimit
from ingestion.pool.order_rule import DEFAULT_AGING, PriorityAging

LIMIT, OVERRIDE, PAUSE = "max_workers", "override", "pause"
MAX_WORKERS_MIN, MAX_WORKERS_MAX = 1, 1000
CRM_NAME = re.compile(r"[a-z0-9_]{1,50}")


@dataclass(frozen=True)
class Control:
    """``value`` of a limit: how many may run at once; of a pause: 1. ``set_at`` is None for what
    holds by default. It ends by itself at ``expires_at``."""

    value: int
    set_by: str = ""
    set_at: datetime | None = None
    reason: str = ""
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: times in ISO 8601."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what cannot be read."""
        return cls(
            value=int(stored["value"]),
            set_by=str(stored.get("set_by", "")),
            set_at=_moment(stored.get("set_at")),
            reason=str(stored.get("reason", "")),
            expires_at=_moment(stored.get("expires_at")),
        )


Named = Mapping[str, Control]


@dataclass(frozen=True)
class PoolControls:
    """What is in force. ``changed_at`` is None while nothing was ever set in this store, which is
    also so after it has lost its state. ``behind``: by CRM, '' for the pool, the lasting limits
    that hold again once an override has ended."""

    max_workers: Control | None = None
    crm_limits: dict[str, Control] = field(default_factory=dict)
    pause: Control | None = None
    crm_pauses: dict[str, Control] = field(default_factory=dict)
    changed_at: datetime | None = None
    behind: dict[str, int] = field(default_factory=dict)
    priority_aging: PriorityAging = DEFAULT_AGING

    @classmethod
    def of(
        cls,
        named: Named,
        *,
        changed_at: datetime | None,
        priority_aging: PriorityAging = DEFAULT_AGING,
    ) -> Self:
        """From controls by name; a limit with an end hides the lasting one."""
        lasting, overrides = _of_kind(named, LIMIT), _of_kind(named, OVERRIDE)
        limits = {**lasting, **overrides}
        pauses = _of_kind(named, PAUSE)
        return cls(
            max_workers=limits.pop("", None),
            crm_limits=limits,
            pause=pauses.pop("", None),
            crm_pauses=pauses,
            changed_at=changed_at,
            behind={crm: limit.value for crm, limit in lasting.items() if crm in overrides},
            priority_aging=priority_aging,
        )

    def pause_of(self, crm_source: str) -> Control | None:
        """What keeps this CRM from starting: the pause of the pool, or its own."""
        return self.pause or self.crm_pauses.get(crm_source)

    def named(self) -> dict[str, Control]:
        """By name, an override under that of its limit."""
        whole = {LIMIT: self.max_workers, PAUSE: self.pause}
        found = {name: control for name, control in whole.items() if control}
        found |= {f"{LIMIT}:{crm}": control for crm, control in self.crm_limits.items()}
        return found | {f"{PAUSE}:{crm}": control for crm, control in self.crm_pauses.items()}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "max_workers": self.max_workers.to_dict() if self.max_workers else None,
            "crm_limits": {crm: control.to_dict() for crm, control in self.crm_limits.items()},
            "pause": self.pause.to_dict() if self.pause else None,
            "crm_pauses": {crm: control.to_dict() for crm, control in self.crm_pauses.items()},
            "priority_aging": self.priority_aging.to_dict(),
        }


def _of_kind(named: Named, kind: str) -> dict[str, Control]:
    """By CRM, '' for the whole pool; sorted."""
    found = {}
    for name in sorted(named):
        its_kind, _, crm = name.partition(":")
        if its_kind == kind:
            found[crm] = named[name]
    return found


def name_of(kind: str, crm_source: str | None) -> str:
    """The name under which a store keeps it. Raises InvalidControl for an impossible name of a
    CRM."""
    if crm_source is None:
        return kind
    if not isinstance(crm_source, str) or not CRM_NAME.fullmatch(crm_source):
        raise InvalidControl(f"{crm_source!r} is no name of a CRM.")
    return f"{kind}:{crm_source}"


def checked_limit(max_workers: int) -> int:
    """Raises InvalidLimit unless ``max_workers`` is a whole number from 1 to 1000."""
    is_whole = isinstance(max_workers, int) and not isinstance(max_workers, bool)
    if not is_whole or not MAX_WORKERS_MIN <= max_workers <= MAX_WORKERS_MAX:
        raise InvalidLimit(
            f"The number of workers must be a whole number from {MAX_WORKERS_MIN} to "
            f"{MAX_WORKERS_MAX}, not {max_workers!r}."
        )
    return max_workers


def checked_expiry(expires_at: datetime | None) -> datetime | None:
    """In UTC. Raises InvalidControl for a time without a zone."""
    if expires_at is None:
        return None
    if not isinstance(expires_at, datetime) or expires_at.tzinfo is None:
        raise InvalidControl("expires_at must be a datetime with a time zone.")
    return expires_at.astimezone(UTC)


@dataclass(frozen=True)
class Change:
    """One atomic change of the controls: the names ``dropped`` are deleted, then ``put`` is added.
    The store sets ``set_at`` where it is None."""

    put: Named = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def applied_to(self, named: Named, *, now: datetime) -> dict[str, Control]:
        """The controls after the change, without those that have ended."""
        record = {name: c for name, c in named.items() if name not in self.dropped}
        new = {name: replace(c, set_at=c.set_at or now) for name, c in self.put.items()}
        return in_force({**record, **new}, now=now)


def in_force(named: Named, *, now: datetime) -> dict[str, Control]:
    """Those that have not ended."""
    return {name: control for name, control in named.items() if not control.is_over(now)}


def limit_change(
    max_workers: int | None,
    *,
    change: ChangeRequest = UNSIGNED,
    crm_source: str | None = None,
    expires_at: datetime | None = None,
) -> Change:
    """A lasting limit takes the place of an override; None takes a CRM's limits away.

    Raises InvalidLimit, InvalidControl.
    """
    lasting, override = name_of(LIMIT, crm_source), name_of(OVERRIDE, crm_source)
    if max_workers is None and crm_source is not None:
        if expires_at is not None:
            raise InvalidControl("A limit is taken away for good; it has no end.")
        return Change(dropped=(lasting, override))
    value, end = checked_limit(max_workers), checked_expiry(expires_at)  # type: ignore[arg-type]
    control = Control(value, set_by=change.by, reason=change.reason, expires_at=end)
    if end is not None:
        return Change({override: control})
    return Change({lasting: control}, dropped=(override,))


def pause_change(
    crm_source: str | None,
    *,
    change: ChangeRequest = UNSIGNED,
    expires_at: datetime | None = None,
) -> Change:
    """Raises InvalidControl."""
    end = checked_expiry(expires_at)
    control = Control(1, set_by=change.by, reason=change.reason, expires_at=end)
    return Change({name_of(PAUSE, crm_source): control})


def resume_change(crm_source: str | None) -> Change:
    """Raises InvalidControl."""
    return Change(dropped=(name_of(PAUSE, crm_source),))


def controls_to_json(named: Named, *, changed_at: datetime | None) -> dict[str, Any]:
    """As the ledger keeps them among what it notes beside its tasks."""
    return {
        "controls": {name: control.to_dict() for name, control in named.items()},
        "controls_changed_at": _plain(changed_at),
    }


def controls_from_json(notes: Mapping[str, Any]) -> tuple[dict[str, Control], datetime | None]:
    """What ``controls_to_json`` wrote: the controls by name, and when one was last changed."""
    stored = notes.get("controls", {})
    named = {name: Control.from_dict(found) for name, found in stored.items()}
    return named, _moment(notes.get("controls_changed_at"))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
