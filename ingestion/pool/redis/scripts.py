"""Speaks with Redis: runs the pool's scripts, and reads the tasks that they answer."""

from __future__ import annotations

import copy
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import ConnectionError, RedisClusterException, RedisError, TimeoutError

from ingestion.pool.clock import seconds_to_us
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
from ingestion.pool.redis.lua_scripts import load_scripts, policy_args
from ingestion.pool.store import PoolPolicy
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


@contextmanager
def client_errors() -> Iterator[None]:
    """The one place where the client's errors become PoolUnavailable: all that are not known to be a
    fault of ours, with the server's reply as the reason."""
    try:
        yield
    except (ConnectionError, TimeoutError) as problem:
        raise PoolUnavailable(f"Redis cannot be reached: {problem}") from problem
    except (RedisError, RedisClusterException) as problem:
        if WRONG_TYPE in str(problem):
            raise OtherType(f"{OtherType.__doc__} ({problem})") from problem
        if is_own_fault(problem):
            raise
        refusal = PoolUnavailable(f"Redis cannot serve now: {reply_of(problem)}")
        refusal.may_be_read = True
        raise refusal from problem


class RedisScripts:
    """The pool's scripts on one set of keys.

    They work on the state of ``epoch`` alone, which belongs to ``installation``; without an epoch on
    whatever is there. ``owner`` is what other installations are told of this one. ``is_incomplete``:
    an answer lacks a task that was lost.

    ``import_legacy`` is called before the first verb, and where a key holds another type than it
    should: an older version may have written its structures there meanwhile.
    """

    def __init__(
        self,
        client: Client,
        keys: PoolKeys,
        policy: PoolPolicy,
        *,
        import_legacy: Callable[[RedisScripts], None],
        owner: str = "",
        clock_offset_seconds: float = 0.0,
    ) -> None:
        self.client = client
        self.keys = keys
        self.policy = policy
        self.clock_offset_seconds = clock_offset_seconds
        self.epoch: int | None = None
        self.installation, self.owner = "", owner
        self.is_incomplete = False
        self._import_legacy = import_legacy
        self._legacy_was_looked_for = False
        self._scripts = {name: client.register_script(s.source) for name, s in SCRIPTS.items()}
        self._script_keys = {
            name: [getattr(keys, attribute) for attribute in script.keys]
            for name, script in SCRIPTS.items()
        }
        self._policy_args = policy_args(policy)

    def at(self, epoch: int | None, *, installation: str) -> RedisScripts:
        """The same, for the state of this epoch alone."""
        scripts = copy.copy(self)
        scripts.epoch, scripts.installation, scripts.is_incomplete = epoch, installation, False
        return scripts

    # Speaking with Redis

    def one(self, verb: str, task_id: str, **given: Any) -> WorkerTask:
        """The task that a script answers, as ``call``."""
        (stored,) = self.call(verb, task_id=task_id, **given)
        return self.task(task_id, stored)

    def call(self, verb: str, *, is_being_built: bool = False, **given: Any) -> list[Any]:
        """What the script answers after ``OK``. Raises the error of its code, see ``pool.errors``.

        Of a state that ``is_being_built`` nothing is taken for granted: what an older version stored
        is not imported, and a missing order rule not set.
        """
        unmended: dict[type[PoolError], Callable[[PoolError], None]] = {}
        if not is_being_built:
            unmended = {OtherType: self._look_for_legacy_again, NoOrderRule: self._set_order_rule}
            if not self._legacy_was_looked_for:
                self._look_for_legacy()
        while True:
            try:
                with client_errors():
                    answer = self._scripts[verb](
                        keys=self._script_keys[verb], args=self._args(verb, given)
                    )
                return self._checked(answer, str(given.get("task_id", "")))
            except (OtherType, NoOrderRule) as problem:
                mend = unmended.pop(type(problem), None)
                if mend is None:
                    raise
                mend(problem)

    def _args(self, verb: str, given: Mapping[str, object]) -> list[str]:
        state = {
            "clock_offset_us": seconds_to_us(self.clock_offset_seconds),
            "epoch": "" if self.epoch is None else self.epoch,
            "installation": self.installation,
            "owner": self.owner,
            "takes_over": "",
        }
        values = {**self._policy_args, **state, **given}
        return [clean_text(str(values[name])) for name in SCRIPTS[verb].args]

    def _checked(self, answer: list[Any], task_id: str) -> list[Any]:
        if answers.text(answer[0]) == "ERR":
            _, code, detail = map(answers.text, answer)
            raise error_for(code, detail, task_id=task_id)
        for broken, reason in answers.mapping(answer[1]).items():
            if reason == VANISHED:
                self.is_incomplete = True
            else:
                log_dead_letter(broken, reason)
        return answer[2:]

    def _look_for_legacy(self) -> None:
        self._legacy_was_looked_for = True
        try:
            self._import_legacy(self)
        except PoolError:
            self._legacy_was_looked_for = False
            raise

    def _look_for_legacy_again(self, problem: PoolError) -> None:
        if self.epoch is not None:
            raise StateLost(str(problem)) from problem
        self._look_for_legacy()

    def _set_order_rule(self, _: PoolError) -> None:
        aging = self.policy.default_aging.to_json()
        self.call("set_priority_aging", is_being_built=True, aging=aging)

    # Reading tasks

    def task(self, task_id: str, flat: Sequence[Any]) -> WorkerTask:
        """Raises UnreadableTask, after it was made a dead letter."""
        try:
            return answers.task(flat)
        except UnreadableTask as problem:
            self._dead_letter(task_id, str(problem))
            raise

    def tasks(self, flats: Iterable[Sequence[Any]]) -> tuple[WorkerTask, ...]:
        """Those of the tasks that can be read."""
        return tuple(self.readable((answers.mapping(flat)["id"], flat) for flat in flats))

    def readable(self, pairs: Iterable[Sequence[Any]]) -> Iterator[WorkerTask]:
        """The tasks of pairs of id and hash that can be read; the others become dead letters."""
        for task_id, flat in pairs:
            if not flat and self.epoch is not None:
                raise StateLost(f"task {answers.text(task_id)} is listed, and it is gone")
            try:
                yield answers.task(flat)
            except UnreadableTask as problem:
                self._dead_letter(answers.text(task_id), str(problem))

    def _dead_letter(self, task_id: str, reason: str) -> None:
        self.call("dead_letter", task_id=task_id, reason=reason)


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


def log_dead_letter(task_id: str, reason: str) -> None:
    logger.warning("task %s cannot be read and was set aside: %s", task_id, reason)
