"""Puts tasks back into the state in Redis: those of the ledger, and those that an older version stored.

``enter`` is called with tasks before they are put back. It must write them where a lost state is
rebuilt from: those of an older version are known nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence

from ingestion.pool.clock import from_us
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.fields import to_fields
from ingestion.pool.redis.legacy import TASK_LISTS, Decode, from_json, is_json, legacy_entries
from ingestion.pool.redis.old_pickles import unpickled
from ingestion.pool.redis.scripts import (
    CHUNK,
    RedisScripts,
    client_errors,
    in_chunks,
    log_dead_letter,
    new_token,
)
from ingestion.pool.store import old_places
from ingestion.pool.task import WorkerTask

logger = logging.getLogger(__name__)

Enter = Callable[[Sequence[WorkerTask]], None]


def restore(scripts: RedisScripts, tasks: Sequence[WorkerTask], *, enter: Enter) -> int:
    """See ``PoolStore.restore``."""
    enter(tasks)
    (now_us,) = scripts.call("now")
    placed = old_places(tasks, now_us=int(now_us))
    rows = (to_fields(task.restored(from_us(order_us))) for order_us, task in placed)
    return sum(
        int(scripts.call("restore", tasks=json.dumps(chunk), token=new_token())[0])
        for chunk in in_chunks(rows, CHUNK)
    )


def import_json(scripts: RedisScripts, *, enter: Enter) -> None:
    """Import what an older version stored as JSON. If it fails half-way, the next call does all of
    it again; a task that is known already stays as it is. Anything else waits until somebody asks
    for ``import_pickled``: it may have been planted."""
    for name, raw in _pending(scripts):
        if name == "stats" or is_json(raw):
            _import_structure(scripts, name, raw, enter=enter)
        else:
            logger.warning("%s of an older version is no JSON and was not read", name)


def import_pickled(scripts: RedisScripts, *, enter: Enter) -> tuple[int, int]:
    """Import what an older version pickled, running nothing of it: how many tasks were put back,
    and how many entries cannot be read and became dead letters."""
    counts = [
        _import_structure(scripts, name, raw, unpickled, enter=enter)
        for name, raw in _pending(scripts)
        if name != "stats" and not is_json(raw)
    ]
    return sum(restored for restored, _ in counts), sum(bad for _, bad in counts)


def pickled(scripts: RedisScripts) -> tuple[str, ...]:
    """The keys of what an older version stored and ``import_pickled`` would read. Moves nothing out
    of the way."""
    keys = scripts.keys
    pending = (f"{keys.legacy_family}pending:{name}" for name in TASK_LISTS)
    names = (keys.active, keys.queues, *pending)
    return tuple(name for name in names if _is_pickled(scripts, name))


def _is_pickled(scripts: RedisScripts, name: str) -> bool:
    with client_errors():
        if answers.text(scripts.client.type(name)) != "string":
            return False
        stored = scripts.client.get(name)
    return isinstance(stored, bytes) and not is_json(stored)


def _pending(scripts: RedisScripts) -> list[tuple[str, bytes]]:
    (pending,) = scripts.call("take_legacy", is_being_built=True)
    return [(answers.text(name), raw) for name, raw in pending]


def _import_structure(
    scripts: RedisScripts, name: str, raw: bytes, decode: Decode = from_json, *, enter: Enter
) -> tuple[int, int]:
    entries = legacy_entries(name, raw, decode) if name != "stats" else []
    unreadable = [entry for entry in entries if entry.task is None]
    restored = restore(scripts, [entry.task for entry in entries if entry.task], enter=enter)
    for entry in unreadable:
        scripts.call("keep_dead_letter", task_id=entry.key, entry=entry.to_json())
        log_dead_letter(entry.key, entry.reason)
    scripts.call("legacy_imported", name=name)
    logger.warning(
        "took over %d tasks of an older version from %s, set %d aside",
        restored,
        getattr(scripts.keys, name),
        len(unreadable),
    )
    return restored, len(unreadable)
