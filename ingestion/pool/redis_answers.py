"""Reads what the Lua scripts answer: lists of byte strings become tasks and snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingestion.pool.clock import from_us
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot, WorkerInfo
from ingestion.pool.store import PoolPolicy
from ingestion.pool.stored import from_fields
from ingestion.pool.task import WorkerTask

LAST_MONITOR = "last_monitor_us"


def text(value: Any) -> str:
    """Clients with and without ``decode_responses`` are read alike."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def mapping(flat: Sequence[Any]) -> dict[str, str]:
    """A flat list of names and values in turn."""
    return {text(flat[i]): text(flat[i + 1]) for i in range(0, len(flat), 2)}


def task(flat: Sequence[Any]) -> WorkerTask:
    """Raises UnreadableTask."""
    return from_fields(mapping(flat))


def moment(microseconds: str | None) -> datetime | None:
    """None for what is absent or no number."""
    return from_us(int(microseconds)) if microseconds and microseconds.isdigit() else None


def number(digits: str | None) -> int:
    """0 for what is absent or no number."""
    return int(digits) if digits and digits.isdigit() else 0


def limit_info(config: Mapping[str, str], policy: PoolPolicy) -> LimitInfo:
    """The default holds while no limit, or none that can be read, was ever set."""
    if not config.get("max_workers", "").isdigit():
        return LimitInfo(max_workers=policy.default_max_workers)
    return LimitInfo(
        max_workers=int(config["max_workers"]),
        set_by=config.get("limit_set_by", ""),
        set_at=moment(config.get("limit_set_at")),
        reason=config.get("limit_reason", ""),
    )


def worker_infos(
    last_seen: Mapping[str, str], capacities: Mapping[str, str], *, now: datetime, ttl: float
) -> tuple[WorkerInfo, ...]:
    return tuple(
        worker_info(name, from_us(int(float(seen))), number(capacities.get(name)), now=now, ttl=ttl)
        for name, seen in sorted(last_seen.items())
    )


def worker_info(
    name: str, last_seen_at: datetime, capacity: int, *, now: datetime, ttl: float
) -> WorkerInfo:
    is_online = capacity > 0 and (now - last_seen_at).total_seconds() <= ttl
    return WorkerInfo(name, last_seen_at, capacity, is_online)


def counters(stats: Mapping[str, str]) -> dict[str, int]:
    return {n: int(v) for n, v in sorted(stats.items()) if n != LAST_MONITOR and v.isdigit()}


def snapshot(
    answer: Sequence[Any],
    *,
    policy: PoolPolicy,
    active: tuple[WorkerTask, ...],
    queued: tuple[WorkerTask, ...],
    delayed: tuple[WorkerTask, ...],
) -> PoolSnapshot:
    """``answer`` of snapshot.lua, with its three lists of tasks already read."""
    now_us, effective, config, _, _, _, ready_count, delayed_count = answer[:8]
    oldest, workers, capacities, stats, set_aside = answer[8:]
    now, stat = from_us(int(now_us)), mapping(stats)
    return PoolSnapshot(
        taken_at=now,
        limit=limit_info(mapping(config), policy),
        effective_limit=int(effective),
        active=active,
        queued=queued,
        delayed=delayed,
        queued_count=int(ready_count),
        delayed_count=int(delayed_count),
        oldest_queued_at=from_us(int(float(oldest[1]))) if oldest else None,
        workers=worker_infos(
            mapping(workers), mapping(capacities), now=now, ttl=policy.worker_ttl_seconds
        ),
        counters=counters(stat),
        last_monitor_at=moment(stat.get(LAST_MONITOR)),
        set_aside=mapping(set_aside),
    )
