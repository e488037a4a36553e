"""Builds the pool's state in Redis anew, from tasks that are kept elsewhere."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ingestion.pool import redis_answers as answers
from ingestion.pool.clock import to_us
from ingestion.pool.controls import Named
from ingestion.pool.kept import Kept
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis_scripts import Client, in_chunks
from ingestion.pool.redis_store import CHUNK, RedisPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask

# What is no task: it stays, for operators or because it is the same in every epoch.
KEPT_NAMES = frozenset({"config", "stats", "workers", "workers:capacity", "set_aside"})
KEPT_FAMILIES = ("legacy:",)
PROBE_MS = 1000


class RebuildableRedisStore(RedisPoolStore):
    """A store in Redis that can lose its state and get it back.

    ``enter`` is called with tasks before they are restored: those of an older version stand
    nowhere else, and must be known where a lost state is rebuilt from.
    """

    def __init__(
        self,
        client: Client,
        keys: PoolKeys,
        policy: PoolPolicy,
        *,
        enter: Callable[[Sequence[WorkerTask]], None] = lambda tasks: None,
        decode_legacy: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__(client, keys, policy, decode_legacy=decode_legacy)
        self._enter = enter

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        self._enter(tasks)
        return super().restore(tasks)

    def at(self, epoch: int | None) -> RebuildableRedisStore:
        """The same store, for the state of ``epoch`` alone."""
        store = copy.copy(self)
        store.epoch, store.is_torn = epoch, False
        return store

    def probe(self) -> None:
        """Raises PoolUnavailable unless the server takes writes and answers."""
        self._reach(lambda: self._client.set(self._keys.probe, "1", px=PROBE_MS))

    def rebuild(self, tasks: Iterable[Kept], *, epoch: int, controls: Named) -> int:
        """Replace every task by ``tasks``, and every control; how many tasks there are. RUNNING ones hold their slot in
        their attempt, with a lease that begins now.

        Until it is complete no store with an epoch gets anything but StateLost, and afterwards
        only one with this ``epoch``. Of two rebuilds the later one wins; the other gets StateLost.
        """
        token = uuid.uuid4().hex
        self._build("take_legacy")
        self._build("begin_rebuild", token=token)
        self._wipe(token)
        count = sum(
            int(self._build("put_back", token=token, tasks=json.dumps(chunk))[0])
            for chunk in in_chunks(map(self._fields, tasks), CHUNK)
        )
        put = answers.control_args(controls)
        self._build("end_rebuild", token=token, new_epoch=epoch, put=put)
        return count

    def _fields(self, kept: Kept) -> dict[str, str]:
        task = kept.task
        score = self._policy.place_of(task, to_us(task.queued_at))
        return kept.to_fields(score=score)

    def _wipe(self, token: str) -> None:
        for names in in_chunks(self._names(), CHUNK):
            self._build("wipe", token=token, names=json.dumps(names))

    def _names(self) -> Iterator[str]:
        """What follows ``everything`` in the keys that are made anew."""
        found = self._reach(
            lambda: list(self._client.scan_iter(match=self._keys.pattern, count=1000))
        )
        for key in found:
            name = answers.text(key).removeprefix(self._keys.everything)
            if name not in KEPT_NAMES and not name.startswith(KEPT_FAMILIES):
                yield name

    def _build(self, verb: str, **given: object) -> list[Any]:
        return self._checked(self._run(verb, given), "")
