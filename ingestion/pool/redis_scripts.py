"""Speaks with Redis: runs the pool's scripts, and reads the tasks that they answer."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from ingestion.pool import redis_answers as answers
from ingestion.pool.clock import seconds_to_us
from ingestion.pool.errors import (
    PoolError,
    PoolUnavailable,
    StateLost,
    UnreadableTask,
    error_for,
)
from ingestion.pool.keys import PoolKeys
from ingestion.pool.legacy import legacy_entries
from ingestion.pool.lua_scripts import load_scripts, policy_args
from ingestion.pool.store import PoolPolicy
from ingestion.pool.stored import clean_text
from ingestion.pool.task import WorkerTask

logger = logging.getLogger(__name__)
SCRIPTS = load_scripts()

# Replies of a server that is there but cannot serve now; the client calls the error's first word
# its status code, or leaves it in the text.
UNAVAILABLE_REPLY = re.compile(
    r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b"
)
WRONG_TYPE = "WRONGTYPE"
VANISHED = "VANISHED"

Client = redis.Redis
T = TypeVar("T")


class OtherType(PoolUnavailable):
    """A key of the pool holds something else; reset-state --force deletes it."""


class RedisScripts:
    """The scripts over one set of keys; ``RedisPoolStore`` says what is asked of them."""

    def __init__(
        self,
        client: redis.Redis,
        keys: PoolKeys,
        policy: PoolPolicy,
        *,
        clock_offset_seconds: float = 0.0,
        decode_legacy: Callable[[bytes], object] | None = None,
    ) -> None:
        self.clock_offset_seconds = clock_offset_seconds
        self.epoch: int | None = None
        self.is_torn = False
        self._client = client
        self._keys = keys
        self._policy = policy
        self._decode_legacy = decode_legacy
        self._legacy_was_looked_for = False
        self._scripts = {name: client.register_script(s.source) for name, s in SCRIPTS.items()}
        self._script_keys = {
            name: [getattr(keys, attribute) for attribute in script.keys]
            for name, script in SCRIPTS.items()
        }
        self._policy_args = policy_args(policy)

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        """See ``PoolStore``."""
        raise NotImplementedError

    # Speaking with Redis

    def _one(self, verb: str, task_id: str, **given: object) -> WorkerTask:
        (stored,) = self._call(verb, task_id=task_id, **given)
        return self._task(task_id, stored)

    def _call(self, verb: str, **given: object) -> list[Any]:
        """What the script answers after ``OK``. Raises what its code stands for."""
        if not self._legacy_was_looked_for:
            self._import_legacy()
        try:
            answer = self._run(verb, given)
        except OtherType as problem:
            if self.epoch is not None:
                raise StateLost(str(problem)) from problem
            # An older version has written meanwhile; what it did not write stays refused.
            self._import_legacy()
            answer = self._run(verb, given)
        return self._checked(answer, str(given.get("task_id", "")))

    def _run(self, verb: str, given: Mapping[str, object]) -> list[Any]:
        state = {
            "clock_offset_us": seconds_to_us(self.clock_offset_seconds),
            "epoch": "" if self.epoch is None else self.epoch,
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
                self.is_torn = True
            else:
                _warn(broken, reason)
        return answer[2:]

    def _reach(self, command: Callable[[], T]) -> T:
        """The one place where the client's errors become PoolUnavailable."""
        try:
            return command()
        except (ConnectionError, TimeoutError) as problem:
            raise PoolUnavailable(f"Redis cannot be reached: {problem}") from problem
        except ResponseError as problem:
            if UNAVAILABLE_REPLY.search(f"{problem.status_code} {problem}"):
                raise PoolUnavailable(f"Redis cannot serve now: {problem}") from problem
            if WRONG_TYPE in str(problem):
                raise OtherType(f"{OtherType.__doc__} ({problem})") from problem
            raise

    # Reading tasks

    def _task(self, task_id: str, flat: Sequence[Any]) -> WorkerTask:
        """Raises UnreadableTask, after the task was set aside."""
        try:
            return answers.task(flat)
        except UnreadableTask as problem:
            self._set_aside(task_id, str(problem))
            raise

    def _tasks(self, flats: Iterable[Sequence[Any]]) -> tuple[WorkerTask, ...]:
        return tuple(self._readable((answers.mapping(flat)["id"], flat) for flat in flats))

    def _readable(self, pairs: Iterable[Sequence[Any]]) -> Iterator[WorkerTask]:
        """Of pairs of id and task those that can be read; the others are set aside."""
        for task_id, flat in pairs:
            if not flat and self.epoch is not None:
                raise StateLost(f"task {answers.text(task_id)} is listed, and it is gone")
            try:
                yield answers.task(flat)
            except UnreadableTask as problem:
                self._set_aside(answers.text(task_id), str(problem))

    def _set_aside(self, task_id: str, reason: str) -> None:
        self._call("set_aside", task_id=task_id, reason=reason)

    # Older versions

    def _import_legacy(self) -> None:
        """Take over what an older version stored. What is half done when this fails is done again
        by the next call: a task that is known already is left as it is."""
        self._legacy_was_looked_for = True
        try:
            (pending,) = self._checked(self._run("take_legacy", {}), "")
            for name, raw in pending:
                self._import_structure(answers.text(name), raw)
        except PoolError:
            self._legacy_was_looked_for = False
            raise

    def _import_structure(self, name: str, raw: bytes) -> None:
        entries = legacy_entries(name, raw, self._decode_legacy) if name != "stats" else []
        unreadable = [entry for entry in entries if entry.task is None]
        restored = self.restore([entry.task for entry in entries if entry.task])
        for entry in unreadable:
            self._call("keep_aside", task_id=entry.key, entry=entry.to_json())
            _warn(entry.key, entry.reason)
        self._call("legacy_imported", name=name)
        logger.warning(
            "took over %d tasks of an older version from %s, set %d aside",
            restored,
            getattr(self._keys, name),
            len(unreadable),
        )


def _plain(value: object) -> str:
    return clean_text(str(value))


def new_token() -> str:
    """For verbs without a token of the caller's: the client may repeat a call by itself."""
    return uuid.uuid4().hex


def longest_first(tasks: Iterable[WorkerTask]) -> tuple[WorkerTask, ...]:
    return tuple(sorted(tasks, key=lambda t: (t.started_at or t.queued_at, t.id)))


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _warn(task_id: str, reason: str) -> None:
    logger.warning("task %s cannot be read and was set aside: %s", task_id, reason)
