"""Reads what the Lua scripts answer: lists of byte strings become tasks and snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ingestion.pool.clock import from_us, to_us
from ingestion.pool.controls import Control, Named, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.redis.fields import from_fields
from ingestion.pool.snapshot import PoolSnapshot, WorkerInfo, limit_info
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask

CONTROL = "control:"
LAST_MONITOR = "last_monitor_us"


def text(value: Any) -> str:
    """Clients with and without ``decode_responses`` are read alike."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def mapping(flat: Sequence[Any]) -> dict[str, str]:
    """A flat list of names and values in turn."""
    texts = [
        part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in flat
    ]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def task(flat: Sequence[Any]) -> WorkerTask:
    """Raises UnreadableTask."""
    return from_fields(mapping(flat))


def moment(microseconds: str | None) -> datetime | None:
    """None for what is absent or no number."""
    return from_us(int(microseconds)) if microseconds and microseconds.isdigit() else None


def number(digits: str | None) -> int:
    """0 for what is absent or no number."""
    return int(digits) if digits and digits.isdigit() else 0


def controls(config: Mapping[str, str], policy: PoolPolicy) -> PoolControls:
    """The controls that a script has found in force. One that cannot be read counts as not set."""
    found = {
        name.removeprefix(CONTROL): control
        for name, stored in config.items()
        if name.startswith(CONTROL) and (control := _control(stored))
    }
    return PoolControls.of(
        found,
        changed_at=moment(config.get("controls_changed_at")),
        priority_aging=_priority_aging(config, policy),
    )


def _priority_aging(config: Mapping[str, str], policy: PoolPolicy) -> PriorityAging:
    try:
        stored = json.loads(config.get("priority_aging", ""))
        return PriorityAging.from_dict(stored, is_rescoring="rescored_until" in config)
    except (ValueError, TypeError, KeyError, AttributeError):
        return policy.default_aging


def _control(stored: str) -> Control | None:
    try:
        named = json.loads(stored)
        set_at, expires_at = (moment(named.get(name)) for name in ("set_at", "expires_at"))
        value, by, reason = int(named["value"]), str(named["set_by"]), str(named["reason"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Control(value, set_by=by, set_at=set_at, reason=reason, expires_at=expires_at)


def control_args(named: Named) -> str:
    """As the scripts take them: times in µs as texts, which JSON in Lua keeps exact."""
    return json.dumps({name: _told(control) for name, control in named.items()})


def _told(control: Control) -> dict[str, str]:
    times = {"set_at": control.set_at, "expires_at": control.expires_at}
    told = {"value": str(control.value), "set_by": control.set_by, "reason": control.reason}
    return told | {name: str(to_us(when)) for name, when in times.items() if when}


def worker_infos(
    last_seen: Mapping[str, str],
    capacities: Mapping[str, str],
    announced: Mapping[str, str],
    releases: Mapping[str, str],
    *,
    now: datetime,
    ttl: float,
) -> tuple[WorkerInfo, ...]:
    return tuple(
        WorkerInfo.seen(
            name,
            seen_at := from_us(int(float(seen))),
            number(capacities.get(name)),
            is_recent=(now - seen_at).total_seconds() <= ttl,
            task_names=task_names(announced.get(name)),
            release=releases.get(name, ""),
        )
        for name, seen in sorted(last_seen.items())
    )


def task_names(announced: str | None) -> frozenset[str] | None:
    """What a worker knows; None where it does not say."""
    return frozenset(filter(None, announced.split(","))) if announced else None


def task_names_arg(names: Iterable[str] | None) -> str:
    """As the scripts take them: each between commas."""
    return "" if names is None else f",{','.join(sorted(names))},"


def counters(stats: Mapping[str, str]) -> dict[str, int]:
    return {n: int(v) for n, v in sorted(stats.items()) if n != LAST_MONITOR and v.isdigit()}


def snapshot(
    answer: Sequence[Any],
    *,
    policy: PoolPolicy,
    active: tuple[WorkerTask, ...],
    queued: tuple[WorkerTask, ...],
    delayed: tuple[WorkerTask, ...],
    held: tuple[WorkerTask, ...],
) -> PoolSnapshot:
    """``answer`` of snapshot.lua, with its lists of tasks already read."""
    now_us, effective, config, _, _, _, _, ready_count, delayed_count, held_count = answer[:10]
    oldest, workers, capacities, stats, dead_letters, by_crm, announced, releases = answer[10:]
    now, stat = from_us(int(now_us)), mapping(stats)
    known = controls(mapping(config), policy)
    return PoolSnapshot(
        taken_at=now,
        limit=limit_info(known, default_max_workers=policy.default_max_workers),
        controls=known,
        effective_limit=int(effective),
        active=active,
        queued=queued,
        delayed=delayed,
        queued_count=int(ready_count),
        delayed_count=int(delayed_count),
        held=held,
        held_count=int(held_count),
        oldest_queued_at=from_us(int(float(oldest[1]))) if oldest else None,
        workers=worker_infos(
            mapping(workers),
            mapping(capacities),
            mapping(announced),
            mapping(releases),
            now=now,
            ttl=policy.worker_ttl_seconds,
        ),
        counters=counters(stat),
        last_monitor_at=moment(stat.get(LAST_MONITOR)),
        dead_letters=mapping(dead_letters),
        queued_by_crm={crm: int(count) for crm, count in sorted(mapping(by_crm).items())},
    )
