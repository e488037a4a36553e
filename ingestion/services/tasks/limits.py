"""Limits and pauses: in force in the store, kept for good in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion.models import PoolSetting
from ingestion.pool import controls
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import LIMIT, OVERRIDE, PAUSE, Change, Control, PoolControls, name_of
from ingestion.pool.errors import InvalidControl
from ingestion.pool.store import PoolStore
from ingestion.services.ledger import controls as ledger_controls
from ingestion.services.security import audit

NAME = LIMIT

Apply = Callable[[], PoolControls]


def set_limit(
    store: PoolStore,
    max_workers: int | None,
    *,
    change: ChangeRequest,
    crm_source: str | None = None,
    expires_at: datetime | None = None,
) -> PoolControls:
    """Raises InvalidLimit, InvalidControl."""
    _check_future(expires_at)
    signed = audit.signed(change)
    given: dict[str, Any] = {"crm_source": crm_source, "expires_at": expires_at, "change": signed}
    made = controls.limit_change(max_workers, **given)
    name = name_of(LIMIT, crm_source)

    def apply() -> PoolControls:
        return store.set_limit(max_workers, **given)

    return _change(store, made, apply, action="limit", target=name, change=signed)


def pause(
    store: PoolStore,
    crm_source: str | None,
    *,
    change: ChangeRequest,
    expires_at: datetime | None = None,
) -> PoolControls:
    """Raises InvalidControl."""
    _check_future(expires_at)
    signed = audit.signed(change)
    made = controls.pause_change(crm_source, change=signed, expires_at=expires_at)

    def apply() -> PoolControls:
        return store.pause(crm_source, change=signed, expires_at=expires_at)

    name = name_of(PAUSE, crm_source)
    return _change(store, made, apply, action="pause", target=name, change=signed)


def resume(store: PoolStore, crm_source: str | None, *, change: ChangeRequest) -> PoolControls:
    """Raises InvalidControl."""
    signed = audit.signed(change)
    made = controls.resume_change(crm_source)

    def apply() -> PoolControls:
        return store.resume(crm_source, change=signed)

    name = name_of(PAUSE, crm_source)
    return _change(store, made, apply, action="resume", target=name, change=signed)


def _change(
    store: PoolStore,
    made: Change,
    apply: Apply,
    *,
    action: str,
    target: str,
    change: ChangeRequest,
) -> PoolControls:
    """Both or neither: the rows' locks also give two changes one order in both places."""
    restore(store)
    with transaction.atomic():
        before = _told(target, store.controls(), default=store.limit().max_workers)
        _keep(made)
        after = next((_value(target, control) for control in made.put.values()), None)
        audit.record(action, change=change, target=target, before=before, after=after)
        return apply()


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


def _keep(made: Change) -> None:
    now = timezone.now()
    PoolSetting.objects.filter(name__in=made.dropped).delete()
    PoolSetting.objects.filter(expires_at__lte=now).delete()
    for name, control in made.put.items():
        PoolSetting.objects.update_or_create(name=name, defaults={**vars(control), "set_at": now})


def _check_future(expires_at: datetime | None) -> None:
    end = controls.checked_expiry(expires_at)
    if end is not None and end <= timezone.now():
        raise InvalidControl(f"The end {end.isoformat()} has passed already.")


def restore(store: PoolStore) -> None:
    """Put the database's limits and pauses back into a store that has lost its own."""
    if store.controls().changed_at is not None:
        return
    kept = ledger_controls.controls_to_rebuild()
    if kept:
        store.restore_controls(kept)


def repair(store: PoolStore, name: str) -> None:
    """Let one control be in force as the database keeps it."""
    kind, _, crm = name.partition(":")
    crm_source, kept = crm or None, ledger_controls.controls_to_rebuild()
    if kind != PAUSE:
        _put_limits_right(store, crm_source, kept)
    elif name in kept:
        found = kept[name]
        store.pause(crm_source, change=_as_set(found), expires_at=found.expires_at)
    else:
        store.resume(crm_source, change=audit.signed(UNSIGNED))


def _put_limits_right(store: PoolStore, crm_source: str | None, kept: controls.Named) -> None:
    if crm_source is not None:
        store.set_limit(None, change=audit.signed(UNSIGNED), crm_source=crm_source)
    for kind in (LIMIT, OVERRIDE):
        found = kept.get(name_of(kind, crm_source))
        if found is not None:
            store.set_limit(
                found.value,
                change=_as_set(found),
                crm_source=crm_source,
                expires_at=found.expires_at,
            )


def _as_set(control: Control) -> ChangeRequest:
    return ChangeRequest(by=control.set_by, reason=control.reason)
