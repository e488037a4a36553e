"""Speaks with Redis: runs the pool's scripts, and reads the tasks that they answer."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import ConnectionError, RedisClusterException, RedisError, TimeoutError

from ingestion.pool.clock import from_us, seconds_to_us
from ingestion.pool.errors import (
    NoOrderRule,
    PoolError,
    PoolUnavailable,
    StateLost,
    UnreadableTask,
    error_for,
)
from ingestion.pool.keys import PoolKeys
from ingestion.pool.record import clean_text
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.error_replies import is_own_fault, reply_of
from ingestion.pool.redis.fields import to_fields
from ingestion.pool.redis.legacy import TASK_LISTS, Decode, from_json, is_json, legacy_entries
from ingestion.pool.redis.lua_scripts import load_scripts, policy_args
from ingestion.pool.redis.old_pickles import unpickled
from ingestion.pool.store import PoolPolicy, old_places
from ingestion.pool.task import WorkerTask

logger = logging.getLogger(__name__)
SCRIPTS = load_scripts()

WRONG_TYPE = "WRONGTYPE"
VANISHED = "VANISHED"
CHUNK = 100

Client = redis.Redis
T = TypeVar("T")


class OtherType(PoolUnavailable):
    """A key of the pool holds something else; reset-state --force deletes it."""


class RedisScripts:
    """Runs the scripts on one set of keys; ``RedisPoolStore`` has the verbs that use it."""

    def __init__(
        self,
        client: redis.Redis,
        keys: PoolKeys,
        policy: PoolPolicy,
        *,
        clock_offset_seconds: float = 0.0,
    ) -> None:
        self.clock_offset_seconds = clock_offset_seconds
        self.epoch: int | None = None
        self.installation = self.owner = ""
        self.is_incomplete = False
        self._client = client
        self._keys = keys
        self._policy = policy
        self._legacy_was_looked_for = False
        self._scripts = {name: client.register_script(s.source) for name, s in SCRIPTS.items()}
        self._script_keys = {
            name: [getattr(keys, attribute) for attribute in script.keys]
            for name, script in SCRIPTS.items()
        }
        self._policy_args = policy_args(policy)

    # Speaking with Redis

    def _one(self, verb: str, task_id: str, **given: object) -> WorkerTask:
        (stored,) = self._call(verb, task_id=task_id, **given)
        return self._task(task_id, stored)

    def _call(self, verb: str, **given: object) -> list[Any]:
        """What the script answers after ``OK``. Raises the error of its code, see
        ``pool.errors``."""
        if not self._legacy_was_looked_for:
            self._import_legacy()
        try:
            answer = self._run(verb, given)
        except OtherType as problem:
            if self.epoch is not None:
                raise StateLost(str(problem)) from problem
            # An older version may have written its structures meanwhile: import them, try again.
            self._import_legacy()
            answer = self._run(verb, given)
        try:
            return self._checked(answer, str(given.get("task_id", "")))
        except NoOrderRule:
            self._checked(self._run("set_priority_aging", self._default_aging()), "")
        return self._checked(self._run(verb, given), str(given.get("task_id", "")))

    def _default_aging(self) -> dict[str, str]:
        return {"aging": self._policy.default_aging.to_json()}

    def _run(self, verb: str, given: Mapping[str, object]) -> list[Any]:
        state = {
            "clock_offset_us": seconds_to_us(self.clock_offset_seconds),
            "epoch": "" if self.epoch is None else self.epoch,
            "installation": self.installation,
            "owner": self.owner,
            "takes_over": "",
        }
        values = {**self._policy_args, **state, **given}
        args = [_plain(values[name]) for name in SCRIPTS[verb].args]
        script, keys = self._scripts[verb], self._script_keys[verb]
        answer: list[Any] = self._reach(lambda: script(keys=keys, args=args))
        return answer

    def _checked(self, answer: list[Any], task_id: str) -> list[Any]:
        if answers.text(answer[0]) == "ERR":
            _, code, detail = map(answers.text, answer)
            raise error_for(code, detail, task_id=task_id)
        for broken, reason in answers.mapping(answer[1]).items():
            if reason == VANISHED:
                self.is_incomplete = True
            else:
                _warn(broken, reason)
        return answer[2:]

    def _reach(self, command: Callable[[], T]) -> T:
        """The one place where the client's errors become PoolUnavailable: all that are not known to
        be a fault of ours, with the server's reply as the reason."""
        try:
            return command()
        except (ConnectionError, TimeoutError) as problem:
            raise PoolUnavailable(f"Redis cannot be reached: {problem}") from problem
        except (RedisError, RedisClusterException) as problem:
            if WRONG_TYPE in str(problem):
                raise OtherType(f"{OtherType.__doc__} ({problem})") from problem
            if is_own_fault(problem):
                raise
            raise PoolUnavailable(f"Redis cannot serve now: {reply_of(problem)}") from problem

    # Reading tasks

    def _task(self, task_id: str, flat: Sequence[Any]) -> WorkerTask:
        """Raises UnreadableTask, after it was made a dead letter."""
        try:
            return answers.task(flat)
        except UnreadableTask as problem:
            self._dead_letter(task_id, str(problem))
            raise

    def _tasks(self, flats: Iterable[Sequence[Any]]) -> tuple[WorkerTask, ...]:
        return tuple(self._readable((answers.mapping(flat)["id"], flat) for flat in flats))

    def _readable(self, pairs: Iterable[Sequence[Any]]) -> Iterator[WorkerTask]:
        """The tasks of pairs of id and hash that can be read; the others become dead letters."""
        for task_id, flat in pairs:
            if not flat and self.epoch is not None:
                raise StateLost(f"task {answers.text(task_id)} is listed, and it is gone")
            try:
                yield answers.task(flat)
            except UnreadableTask as problem:
                self._dead_letter(answers.text(task_id), str(problem))

    def _dead_letter(self, task_id: str, reason: str) -> None:
        self._call("dead_letter", task_id=task_id, reason=reason)

    # Older versions

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        """See ``PoolStore``."""
        (now_us,) = self._call("now")
        placed = old_places(tasks, now_us=int(now_us))
        rows = (to_fields(task.restored(from_us(order_us))) for order_us, task in placed)
        return sum(
            int(self._call("restore", tasks=json.dumps(chunk), token=new_token())[0])
            for chunk in in_chunks(rows, CHUNK)
        )

    def _import_legacy(self) -> None:
        """Import what an older version stored as JSON. If it fails half-way, the next call does all
        of it again; a task that is known already stays as it is. Anything else waits until somebody
        asks for ``import_pickled``: it may have been planted."""
        self._legacy_was_looked_for = True
        try:
            for name, raw in self._pending_legacy():
                if name == "stats" or is_json(raw):
                    self._import_structure(name, raw)
                else:
                    logger.warning("%s of an older version is no JSON and was not read", name)
        except PoolError:
            self._legacy_was_looked_for = False
            raise

    def pickled_legacy(self) -> tuple[str, ...]:
        """The keys of what an older version stored and ``import_pickled`` would read. Moves nothing
        out of the way."""
        pending = (f"{self._keys.legacy_family}pending:{name}" for name in TASK_LISTS)
        names = (self._keys.active, self._keys.queues, *pending)
        return tuple(name for name in names if self._is_pickled(name))

    def _is_pickled(self, name: str) -> bool:
        def look() -> bool:
            if answers.text(self._client.type(name)) != "string":
                return False
            stored = self._client.get(name)
            return isinstance(stored, bytes) and not is_json(stored)

        return self._reach(look)

    def import_pickled(self) -> tuple[int, int]:
        """Import what an older version pickled, running nothing of it: how many tasks were put
        back, and how many entries cannot be read and became dead letters."""
        counts = [
            self._import_structure(name, raw, unpickled)
            for name, raw in self._pending_legacy()
            if name != "stats" and not is_json(raw)
        ]
        return sum(restored for restored, _ in counts), sum(bad for _, bad in counts)

    def _pending_legacy(self) -> list[tuple[str, bytes]]:
        (pending,) = self._checked(self._run("take_legacy", {}), "")
        return [(answers.text(name), raw) for name, raw in pending]

    def _import_structure(
        self, name: str, raw: bytes, decode: Decode = from_json
    ) -> tuple[int, int]:
        entries = legacy_entries(name, raw, decode) if name != "stats" else []
        unreadable = [entry for entry in entries if entry.task is None]
        restored = self.restore([entry.task for entry in entries if entry.task])
        for entry in unreadable:
            self._call("keep_dead_letter", task_id=entry.key, entry=entry.to_json())
            _warn(entry.key, entry.reason)
        self._call("legacy_imported", name=name)
        logger.warning(
            "took over %d tasks of an older version from %s, set %d aside",
            restored,
            getattr(self._keys, name),
            len(unreadable),
        )
        return restored, len(unreadable)


def _plain(value: object) -> str:
    return clean_text(str(value))


def new_token() -> str:
    """A token for verbs to which the caller gives none: the Redis client may repeat a call
    itself."""
    return uuid.uuid4().hex


def longest_first(tasks: Iterable[WorkerTask]) -> tuple[WorkerTask, ...]:
    return tuple(sorted(tasks, key=lambda t: (t.started_at or t.queued_at, t.id)))


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _warn(task_id: str, reason: str) -> None:
    logger.warning("task %s cannot be read and was set aside: %s", task_id, reason)
