"""Limits and pauses: in force in the store, kept for good in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion.models import PoolSetting
from ingestion.pool import controls
from ingestion.pool.controls import LIMIT, OVERRIDE, PAUSE, Change, Control, PoolControls, name_of
from ingestion.pool.errors import InvalidControl
from ingestion.pool.store import PoolStore
from ingestion.services import audit, ledger_state
from ingestion.services.secrets import mask

NAME = LIMIT

Apply = Callable[[str, str], PoolControls]


def set_limit(
    store: PoolStore,
    max_workers: int | None,
    *,
    actor: str,
    reason: str,
    crm_source: str | None = None,
    expires_at: datetime | None = None,
) -> PoolControls:
    """Raises InvalidLimit, InvalidControl."""
    _check_future(expires_at)
    name = name_of(LIMIT, crm_source)
    given: dict[str, Any] = {"crm_source": crm_source, "expires_at": expires_at}
    made = controls.limit_change(max_workers, by="", reason="", **given)

    def apply(by: str, why: str) -> PoolControls:
        return store.set_limit(max_workers, by=by, reason=why, **given)

    return _change(store, made, apply, action="limit", target=name, actor=actor, reason=reason)


def pause(
    store: PoolStore,
    crm_source: str | None,
    *,
    actor: str,
    reason: str,
    expires_at: datetime | None = None,
) -> PoolControls:
    """Raises InvalidControl."""
    _check_future(expires_at)
    made = controls.pause_change(crm_source, by="", reason="", expires_at=expires_at)

    def apply(by: str, why: str) -> PoolControls:
        return store.pause(crm_source, by=by, reason=why, expires_at=expires_at)

    name = name_of(PAUSE, crm_source)
    return _change(store, made, apply, action="pause", target=name, actor=actor, reason=reason)


def resume(store: PoolStore, crm_source: str | None, *, actor: str, reason: str) -> PoolControls:
    """Raises InvalidControl."""
    made = controls.resume_change(crm_source)

    def apply(by: str, why: str) -> PoolControls:
        return store.resume(crm_source, by=by, reason=why)

    name = name_of(PAUSE, crm_source)
    return _change(store, made, apply, action="resume", target=name, actor=actor, reason=reason)


def _change(
    store: PoolStore,
    change: Change,
    apply: Apply,
    *,
    action: str,
    target: str,
    actor: str,
    reason: str,
) -> PoolControls:
    """Both or neither: the rows' locks also give two changes one order in both places."""
    restore(store)
    by, why = mask(audit.actor(actor)), mask(reason)
    with transaction.atomic():
        before = _told(target, store.controls(), default=store.limit().max_workers)
        _keep(change, by=by, reason=why)
        after = next((_value(target, control) for control in change.put.values()), None)
        audit.record(action, actor=by, target=target, reason=why, before=before, after=after)
        return apply(by, why)


def _told(target: str, found: PoolControls, *, default: int) -> Any:
    control = found.named().get(target)
    if control is None:
        return default if target == LIMIT else None
    return _value(target, control)


def _value(target: str, control: Control) -> Any:
    """Who and why stand in the record itself."""
    value = control.value if target.startswith(LIMIT) else "paused"
    if control.expires_at is None:
        return value
    return {"value": value, "expires_at": control.expires_at.isoformat()}


def _keep(change: Change, *, by: str, reason: str) -> None:
    now = timezone.now()
    PoolSetting.objects.filter(name__in=change.dropped).delete()
    PoolSetting.objects.filter(expires_at__lte=now).delete()
    for name, control in change.put.items():
        kept = {"value": control.value, "expires_at": control.expires_at}
        PoolSetting.objects.update_or_create(
            name=name, defaults={**kept, "set_by": by, "set_at": now, "reason": reason}
        )


def _check_future(expires_at: datetime | None) -> None:
    end = controls.checked_expiry(expires_at)
    if end is not None and end <= timezone.now():
        raise InvalidControl(f"The end {end.isoformat()} has passed already.")


def restore(store: PoolStore) -> None:
    """Put the database's limits and pauses back into a store that has lost its own."""
    if store.controls().changed_at is not None:
        return
    kept = ledger_state.controls_to_rebuild()
    if kept:
        store.restore_controls(kept)


def put_right(store: PoolStore, name: str) -> None:
    """Let one control be in force as the database keeps it."""
    kind, _, crm = name.partition(":")
    crm_source, kept = crm or None, ledger_state.controls_to_rebuild()
    if kind != PAUSE:
        _put_limits_right(store, crm_source, kept)
    elif name in kept:
        found = kept[name]
        store.pause(crm_source, by=found.set_by, reason=found.reason, expires_at=found.expires_at)
    else:
        store.resume(crm_source, by=audit.actor())


def _put_limits_right(store: PoolStore, crm_source: str | None, kept: controls.Named) -> None:
    if crm_source is not None:
        store.set_limit(None, by=audit.actor(), crm_source=crm_source)
    for kind in (LIMIT, OVERRIDE):
        found = kept.get(name_of(kind, crm_source))
        if found is not None:
            store.set_limit(
                found.value,
                by=found.set_by,
                reason=found.reason,
                crm_source=crm_source,
                expires_at=found.expires_at,
            )
