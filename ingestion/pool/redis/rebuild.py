"""Rebuilds the pool's state in Redis from tasks that are kept elsewhere."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from redis.sentinel import SentinelConnectionPool

from ingestion.pool.controls import Named
from ingestion.pool.errors import StateLost, UnreadableTask
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.fields import record_fields
from ingestion.pool.redis.scripts import CHUNK, client_errors, in_chunks
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PAGE
from ingestion.pool.task import TaskStatus, WorkerTask

# No tasks: these stay, for operators or because they are the same in every epoch.
KEPT_NAMES = frozenset(
    {"config", "stats", "workers", "workers:capacity", "workers:tasks", "set_aside"}
)
KEPT_FAMILIES = ("legacy:",)
PROBE_MS = 1000


class RebuildableRedisStore(RedisPoolStore):
    """A store in Redis that can lose its state and get it back."""

    def at(self, epoch: int | None, *, installation: str = "") -> RebuildableRedisStore:
        """The same store, for the state of ``epoch`` alone, which belongs to ``installation``."""
        store = copy.copy(self)
        store._scripts = self._scripts.at(epoch, installation=installation)
        return store

    def ping(self) -> None:
        super().ping()
        self._build("owner")

    def probe(self) -> None:
        """Raises PoolUnavailable unless the server takes writes and answers."""
        with client_errors():
            self._scripts.client.set(self._scripts.keys.probe, "1", px=PROBE_MS)

    def has_moved(self) -> bool:
        """Another server is the primary than the one that was asked last; the next call asks it. A
        former one may still take writes for seconds, because Sentinel has not told it yet."""
        known = self._scripts.client.connection_pool
        if not isinstance(known, SentinelConnectionPool):
            return False
        before = known.master_address
        with client_errors():
            now = known.get_master_address()  # type: ignore[no-untyped-call]
        return bool(now != before)

    def find_lost(self) -> None:
        """Raises StateLost where a task that waits has lost its hash: no count tells that, and the
        task itself may be looked at much later. Page by page, so that no script is long."""
        for part in ("waiting", "delayed", "held"):
            for offset in count(0, PAGE):
                lost, looked_at = self._scripts.call(
                    "find_lost", part=part, offset=offset, at_most=PAGE
                )
                if lost:
                    raise StateLost(f"task {answers.text(lost[0])} is listed, and it is gone")
                if int(looked_at) < PAGE:
                    break

    def unwritten(
        self, known: Iterable[tuple[str, str, int]], *, of_epoch: int
    ) -> Iterator[WorkerTask]:
        """Of these tasks (id, status, attempt) those that have ended or gone back to the queue since,
        by what is left of the state. One of another epoch is believed only where it says that a
        task is COMPLETED, which nobody but the holder of its attempt can have reported."""
        for chunk in in_chunks(known, CHUNK):
            flats, epoch = self._build("find_unwritten", known=json.dumps(chunk))
            is_in_force = answers.text(epoch) == str(of_epoch)
            for task in _readable(flats):
                if is_in_force or task.status == TaskStatus.COMPLETED:
                    yield task

    def rebuild(
        self,
        tasks: Iterable[TaskRecord],
        *,
        epoch: int,
        controls: Named,
        priority_aging: PriorityAging | None = None,
        takes_over: bool = False,
    ) -> int:
        """Replace all tasks and all controls by these; how many tasks there are. RUNNING ones keep
        their slot and attempt, with a lease that begins now; QUEUED ones stand by
        ``priority_aging``, or by that of the policy. Raises StateLost when a later rebuild has
        begun, OtherInstallation unless it ``takes_over`` whatever is there, PoolUnavailable.

        It takes many scripts, and is safe at every point between them:

        - The first one removes the epoch from Redis, the last one writes the new one. In between
          every script that names an epoch is refused with STATE_LOST, so nobody reads or changes
          what is half built. A crash leaves it like that, and the next process rebuilds.
        - Each script checks ``token``. A later rebuild replaces the token, and the earlier one is
          refused from then on; so two at once never mix what they write.
        - Nothing new appears behind the scan in ``_wipe``, as only this rebuild may write.
        """
        token = uuid.uuid4().hex
        aging = (priority_aging or self._scripts.policy.default_aging).to_json()
        anyone = "1" if takes_over else ""
        self._build("take_legacy", takes_over=anyone)
        self._build("begin_rebuild", token=token, aging=aging, takes_over=anyone)
        self._wipe(token)
        restored = sum(
            int(self._build("put_back", token=token, tasks=json.dumps(chunk))[0])
            for chunk in in_chunks(map(record_fields, tasks), CHUNK)
        )
        put = answers.control_args(controls)
        self._build("end_rebuild", token=token, new_epoch=epoch, put=put)
        return restored

    def _wipe(self, token: str) -> None:
        for names in in_chunks(self._names(), CHUNK):
            self._build("wipe", token=token, names=json.dumps(names))

    def _names(self) -> Iterator[str]:
        """The names, after the prefix ``everything``, of the keys that a rebuild replaces."""
        keys = self._scripts.keys
        with client_errors():
            found = list(self._scripts.client.scan_iter(match=keys.pattern, count=1000))
        for key in found:
            name = answers.text(key).removeprefix(keys.everything)
            if name not in KEPT_NAMES and not name.startswith(KEPT_FAMILIES):
                yield name

    def _build(self, verb: str, **given: Any) -> list[Any]:
        return self._scripts.call(verb, is_being_built=True, **given)


def _readable(flats: Iterable[Sequence[Any]]) -> Iterator[WorkerTask]:
    """What cannot be read is about to be replaced."""
    for flat in flats:
        with suppress(UnreadableTask):
            yield answers.task(flat)
