"""Every dataset of the warehouse: when it was loaded, what was promised, and whether it is late."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from ingestion.pool.controls import Control
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.freshness.loads import LOOKED_AT, Load, loads_of, older_loads_of
from ingestion.services.freshness.promises import Promise, Promises, read_promises
from ingestion.services.freshness.reasons import Circumstances, read_circumstances, why_late
from ingestion.services.infra.response_cache import Answer, SharedAnswers, answer, as_json
from ingestion.services.worker_pool import get_worker_pool
from ingestion.sync.common.registry import crms

KEPT_SECONDS = 10.0

shared = SharedAnswers(KEPT_SECONDS)


class Freshness(StrEnum):
    """``aging``: due now, and still within the grace of its schedule. ``stale``: late, the promise
    is broken. ``never``: its first load is not due yet, or nobody can say when it is."""

    FRESH = "fresh"
    AGING = "aging"
    STALE = "stale"
    NEVER = "never"
    NO_PROMISE = "no_promise"


@dataclass(frozen=True)
class Dataset:
    """One model's table, by its loads, the latest first, and what is promised of it."""

    crm_source: str
    crm_title: str
    model: str
    loads: tuple[Load, ...]
    promises: tuple[Promise, ...] = ()

    @property
    def last_success(self) -> Load | None:
        return next((load for load in self.loads if load.is_right), None)

    @property
    def usual_interval_seconds(self) -> float | None:
        """Between two successes, in the middle of the last ones; None before there are three."""
        ends = [load.ended_at for load in self.loads if load.is_right][:LOOKED_AT]
        gaps = [(a - b).total_seconds() for a, b in pairwise(ends)]
        return round(statistics.median(gaps), 1) if len(gaps) >= 2 else None

    @property
    def promise(self) -> Promise | None:
        """The one that is due first."""
        due = [(at, n) for n, one in enumerate(self.promises) if (at := self._due(one))]
        return self.promises[min(due)[1]] if due else next(iter(self.promises), None)

    @property
    def due_at(self) -> datetime | None:
        return self._due(self.promise) if self.promise else None

    def _due(self, promise: Promise) -> datetime | None:
        success = self.last_success
        first_try = min((load.ended_at for load in self.loads), default=None)
        return promise.due_at(success.ended_at if success else None, first_try)

    def late_since(self, now: datetime) -> datetime | None:
        """When its promise was broken; None while it is kept."""
        promise, due = self.promise, self.due_at
        if promise is None or due is None:
            return None
        return due if now > due + timedelta(seconds=promise.grace_seconds) else None

    def freshness(self, now: datetime) -> Freshness:
        if not self.promises:
            return Freshness.NO_PROMISE
        if self.late_since(now):
            return Freshness.STALE
        if self.last_success is None:
            return Freshness.NEVER
        due = self.due_at
        return Freshness.AGING if due and now > due else Freshness.FRESH

    def to_dict(self, now: datetime) -> dict[str, Any]:
        success, last = self.last_success, self.loads[0] if self.loads else None
        return {
            "crm_source": self.crm_source,
            "crm_title": self.crm_title,
            "model": self.model,
            "freshness": str(self.freshness(now)),
            "last_success_at": success.ended_at.isoformat() if success else None,
            "last_rows": success.rows if success else None,
            "last_status": last.status if last else None,
            "last_run_at": last.ended_at.isoformat() if last else None,
            "usual_interval_seconds": self.usual_interval_seconds,
            "promise": promise_to_dict(self.promise),
            "due_at": _iso(self.due_at),
            "late_since": _iso(self.late_since(now)),
        }


def promise_to_dict(promise: Promise | None) -> dict[str, Any] | None:
    """The JSON form."""
    if promise is None:
        return None
    return {
        "kind": str(promise.kind),
        "words": promise.words,
        "expected_seconds": round(promise.expected_seconds, 1),
    }


def freshness() -> Answer:
    """Every dataset of every CRM, and the late ones with their reasons. Raises DatabaseError."""
    return shared.get("datasets", _made)


def _made() -> Answer:
    promises = read_promises()
    now = promises.now
    found = list(datasets(promises=promises))
    listed = [one.to_dict(now) for one in found]
    counts = {str(word): 0 for word in Freshness}
    for one in listed:
        counts[one["freshness"]] += 1
    content = {
        "counts": counts,
        "promised_count": len(found) - counts[Freshness.NO_PROMISE],
        "late": [reported for _, reported in late_datasets(found, promises)],
        "datasets": listed,
    }
    whole = {"schema": 1, "taken_at": now.isoformat(), **content}
    return answer(as_json(whole), steady=content, taken_at=now)


def late_datasets(
    found: Iterable[Dataset], promises: Promises
) -> list[tuple[Dataset, dict[str, Any]]]:
    """Those whose promise is broken, the longest broken first, with their JSON and the reasons."""
    now = promises.now
    late = [(since, one) for one in found if (since := one.late_since(now))]
    circumstances = read_circumstances(_pauses()) if late else Circumstances()
    return [
        (one, {**one.to_dict(now), "reasons": _reasons(one, promises, circumstances)})
        for _, one in sorted(late, key=lambda pair: pair[0])
    ]


def _pauses() -> dict[str, Control]:
    """None is known while the pool cannot be reached."""
    try:
        controls = get_worker_pool().controls()
    except PoolUnavailable:
        return {}
    return {**controls.crm_pauses, **({"": controls.pause} if controls.pause else {})}


def _reasons(one: Dataset, promises: Promises, circumstances: Circumstances) -> list[Any]:
    schedules = promises.schedules_of(one.crm_source, one.model)
    found = why_late(
        one.crm_source, one.model, one.loads, schedules, circumstances, now=promises.now
    )
    return [reason.to_dict() for reason in found]


def datasets(
    crm_source: str | None = None, *, promises: Promises | None = None
) -> Iterator[Dataset]:
    """Of one CRM, or of all, in the order of their tables."""
    promises = promises or read_promises()
    for name, found in crms().items():
        if crm_source in (None, name):
            loads = loads_of(name)
            for model in found.models:
                own = tuple(loads.get(model.name) or older_loads_of(name, model.name))
                yield Dataset(name, found.title, model.name, own, promises.of(found, model))


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
