"""The pool's state in Redis: each verb is one Lua script, so it happens whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from ingestion.pool import redis_answers as answers
from ingestion.pool.clock import from_us, seconds_to_us
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
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.store import Finished, Outcome, PoolPolicy, Reaped, checked_limit, old_places
from ingestion.pool.stored import clean_text, to_fields
from ingestion.pool.task import TaskStatus, WorkerTask

logger = logging.getLogger(__name__)
SCRIPTS = load_scripts()
CHUNK = 100
PAGE = 500

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


class RedisPoolStore:
    """See ``PoolStore``. The only clock is Redis's ``TIME``; ``clock_offset_seconds`` is added to
    it, so that a test can let time pass.

    ``client`` is any ``redis.Redis``. ``decode_legacy`` turns the bytes that an older version
    cached into Python objects; without it they are kept, but not imported.

    With an ``epoch`` it works on the state of that epoch alone: what is lost raises StateLost, and
    ``is_torn`` says that the last answer was given without a task that was lost. Without one,
    whatever is there is the state.
    """

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

    # Life of a task

    def submit(self, task: WorkerTask) -> WorkerTask:
        fields = to_fields(task) | {"status": TaskStatus.QUEUED.value}
        (stored,) = self._call(
            "submit", task_id=task.id, priority=task.priority, fields=json.dumps(fields)
        )
        return self._task(task.id, stored)

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        return self._tasks(self._call("claim", token=token)[0])

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        return self._one("confirm", task_id, attempt=attempt, worker=worker, token=token)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._one("heartbeat", task_id, attempt=attempt)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        return self._one(
            "report_progress", task_id, attempt=attempt, progress=json.dumps(progress, default=str)
        )

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        retry = outcome.retry_in_seconds
        task, started = self._call(
            "finish",
            task_id=task_id,
            attempt=attempt,
            token=token,
            status=outcome.status.value,
            error_message=outcome.error_message or "",
            result=json.dumps(outcome.result, default=str),
            retry_us="" if retry is None else seconds_to_us(retry),
            is_interruption="1" if outcome.is_interruption else "",
        )
        return Finished(self._task(task_id, task), self._tasks(started))

    def release(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._one("release", task_id, attempt=attempt)

    def cancel(self, task_id: str, *, reason: str) -> WorkerTask:
        return self._one("cancel", task_id, reason=reason, token=_new_token())

    def reap(self) -> Reaped:
        lost, stale, unconfirmed = self._call("reap", token=_new_token())
        return Reaped(self._tasks(lost), self._tasks(stale), self._tasks(unconfirmed))

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        (found,) = self._call("read", ids=json.dumps([task_id]))
        return next(iter(self._readable([(task_id, flat) for flat in found if flat])), None)

    def active(self) -> tuple[WorkerTask, ...]:
        return _longest_first(self._readable(self._call("active")[0]))

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        found: list[WorkerTask] = []
        for part in ("ready", "delayed"):
            rest = None if limit is None else limit - len(found)
            of_part, count = self._walk(part, offset=max(0, offset), limit=rest)
            found += of_part
            offset -= count
        return tuple(found)

    def _walk(self, part: str, *, offset: int, limit: int | None) -> tuple[list[WorkerTask], int]:
        """Page by page, so that a long queue never holds the server; the tasks, and the count of
        all in this part. The cursor is the last score and how many with that score were seen."""
        found: list[WorkerTask] = []
        score, skip, count = "-inf", offset, 0
        while True:
            at_most = PAGE if limit is None else min(PAGE, limit - len(found))
            pairs, scores, count = self._call(
                "queued", part=part, score=score, skip=skip, at_most=at_most
            )
            found += self._readable(pairs)
            if len(pairs) < PAGE or at_most < PAGE:
                return found, int(count)
            last = answers.text(scores[-1])
            same = sum(1 for s in scores if answers.text(s) == last)
            skip = skip + same if last == score else same
            score = last

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        answer = self._call("snapshot", queue_limit=queue_limit)
        active, queued, delayed = (tuple(self._readable(pairs)) for pairs in answer[3:6])
        return answers.snapshot(
            answer,
            policy=self._policy,
            active=_longest_first(active),
            queued=queued,
            delayed=delayed,
        )

    # Settings of the pool

    def limit(self) -> LimitInfo:
        (config,) = self._call("limit")
        return answers.limit_info(answers.mapping(config), self._policy)

    def set_limit(self, max_workers: int, *, by: str, reason: str = "") -> LimitInfo:
        (config,) = self._call(
            "set_limit", max_workers=checked_limit(max_workers), by=by, reason=reason
        )
        return answers.limit_info(answers.mapping(config), self._policy)

    # Whole-pool verbs

    def clear_queue(self, *, reason: str, limit: int = 1000) -> tuple[WorkerTask, ...]:
        cleared: list[WorkerTask] = []
        while len(cleared) < limit:
            at_most = min(CHUNK, limit - len(cleared))
            (chunk, looked_at) = self._call(
                "clear_queue", reason=reason, token=_new_token(), at_most=at_most
            )
            cleared += self._tasks(chunk)
            if int(looked_at) < at_most:
                break
        return tuple(cleared)

    def forget_finished(self, *, max_age_seconds: float) -> int:
        dropped = 0
        while chunk := int(
            self._call("forget_finished", max_age_us=seconds_to_us(max_age_seconds))[0]
        ):
            dropped += chunk
        return dropped

    def reset(self) -> int:
        def delete_all() -> int:
            found = self._client.scan_iter(match=self._keys.pattern, count=1000)
            return sum(int(self._client.unlink(*chunk)) for chunk in in_chunks(found, 1000))

        return int(self._reach(delete_all))

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        (now_us,) = self._call("now")
        placed = old_places(tasks, now_us=int(now_us), policy=self._policy)
        rows = (self._restored_fields(order_us, task) for order_us, task in placed)
        return sum(
            int(self._call("restore", tasks=json.dumps(chunk), token=_new_token())[0])
            for chunk in in_chunks(rows, CHUNK)
        )

    def _restored_fields(self, order_us: int, task: WorkerTask) -> dict[str, str]:
        score = self._policy.score(order_us, priority=task.priority)
        return to_fields(task.queued_again(from_us(order_us))) | {"score": str(score)}

    def put_right(self, task_id: str) -> WorkerTask:
        return self._one("put_right", task_id)

    def drop_aside(self, task_id: str) -> bool:
        return bool(self._call("drop_aside", task_id=task_id)[0])

    def worker_seen(self, name: str, *, capacity: int) -> None:
        self._call("worker_seen", name=name, capacity=capacity)

    def worker_gone(self, name: str) -> None:
        self._call("worker_gone", name=name)

    def note_monitor_round(self) -> datetime:
        return from_us(int(self._call("note_monitor_round")[0]))

    def last_monitor_round(self) -> datetime | None:
        (noted,) = self._call("last_monitor_round")
        return answers.moment(answers.text(noted))

    def ping(self) -> None:
        self._reach(self._client.ping)

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


def _new_token() -> str:
    """For verbs without a token of the caller's: the client may repeat a call by itself."""
    return uuid.uuid4().hex


def _longest_first(tasks: Iterable[WorkerTask]) -> tuple[WorkerTask, ...]:
    return tuple(sorted(tasks, key=lambda t: (t.started_at or t.queued_at, t.id)))


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _warn(task_id: str, reason: str) -> None:
    logger.warning("task %s cannot be read and was set aside: %s", task_id, reason)
