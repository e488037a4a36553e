"""What older versions stored: one list, or one object by id, of task objects under a plain key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.pool.errors import UnreadableTask
from ingestion.pool.task import WorkerTask

# The old structures that held tasks.
TASK_LISTS = ("active", "queues")


@dataclass(frozen=True)
class LegacyEntry:
    """``task`` is None where the entry cannot be read; then ``reason`` says why."""

    key: str
    stored: Any
    task: WorkerTask | None = None
    reason: str = ""

    def to_json(self) -> str:
        """The form of a dead letter."""
        return json.dumps({"reason": self.reason, "stored": self.stored}, default=repr)


Decode = Callable[[bytes], object]


def is_json(raw: bytes) -> bool:
    try:
        from_json(raw)
    except ValueError:
        return False
    return True


def from_json(raw: bytes) -> object:
    """Raises ValueError."""
    found = json.loads(raw)
    return json.loads(found) if isinstance(found, str) else found


def legacy_entries(name: str, raw: bytes, decode: Decode = from_json) -> list[LegacyEntry]:
    """The entries of the old structure ``name``, readable or not. ``decode`` may raise
    UnreadableTask."""
    try:
        found = decode(raw)
    except UnreadableTask as problem:
        return [LegacyEntry(name, raw, reason=str(problem))]
    if isinstance(found, Mapping):
        return [_entry(str(key), entry, has_id=True) for key, entry in found.items()]
    if isinstance(found, list | tuple):
        return [_entry(f"{name}[{n}]", entry, has_id=False) for n, entry in enumerate(found)]
    return [LegacyEntry(name, found, reason=f"a {type(found).__name__} is no list of tasks")]


def _entry(key: str, entry: object, *, has_id: bool) -> LegacyEntry:
    if isinstance(entry, WorkerTask):
        return LegacyEntry(key, entry.to_dict(), task=entry)
    if not isinstance(entry, Mapping):
        return LegacyEntry(key, entry, reason=f"a {type(entry).__name__} is no task")
    named = {"id": key, **entry} if has_id else dict(entry)
    try:
        return LegacyEntry(key, named, task=WorkerTask.from_dict(named))
    except UnreadableTask as problem:
        return LegacyEntry(str(named.get("id") or key), named, reason=str(problem))
