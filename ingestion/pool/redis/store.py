"""The pool's state in Redis: each verb is one Lua script, so it happens whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.errors import Overlaps
from ingestion.pool.overlap import OnOverlap, short_digest
from ingestion.pool.queue_place import PARTS, QueuePage, QueuePlace, parts_from
from ingestion.pool.record import json_text
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.fields import to_fields
from ingestion.pool.redis.operators import RedisOperators
from ingestion.pool.redis.scripts import CHUNK, in_chunks, longest_first, new_token
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import READ_PAGE, Admitted, Finished, Outcome, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask


class RedisPoolStore(RedisOperators):
    """See ``PoolStore``. The only clock is Redis's ``TIME``; ``clock_offset_seconds`` is added to
    it, so that a test can let time pass.

    ``client`` is any ``redis.Redis``.

    With an ``epoch`` it works on the state of that epoch alone: where that is lost it raises
    StateLost, and ``is_incomplete`` means that an answer lacks a task that was lost. Without an
    epoch it takes whatever is there as the state.
    """

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        new = _new(task, on_overlap)
        (stored,) = self._call(
            "submit", task_id=task.id, **new | {"fields": json.dumps(new["fields"])}
        )
        return self._task(task.id, stored)

    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        new = [{"id": task.id, **_new(task, on_overlap)} for task, on_overlap in tasks]
        (found,) = self._call(
            "submit_many", tasks=json_text(new), are_placed="1" if are_placed else ""
        )
        return tuple(self._became(task, flat) for (task, _), flat in zip(tasks, found, strict=True))

    def _became(self, task: WorkerTask, answer: Sequence[Any]) -> WorkerTask | Overlaps:
        """What submit_many.lua answers of one: an id, a place, or all of a task."""
        if len(answer) == 1:
            return Overlaps.told(answers.text(answer[0]), task.id)
        if len(answer) == 2:
            return _placed(task, from_us(int(answer[1])))
        return self._task(task.id, answer)

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        fields = json_text(_fields(task))
        stored, started = self._call("admit", task_id=task.id, fields=fields, token=token)
        return Admitted(self._task(task.id, stored), self._tasks(started))

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
            is_earned="1" if outcome.is_earned else "",
        )
        return Finished(self._task(task_id, task), self._tasks(started))

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._one("return_to_queue", task_id, attempt=attempt)

    def reap(self) -> Reaped:
        return Reaped(*map(self._tasks, self._call("reap", token=new_token())))

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        (found,) = self._call("read", ids=json.dumps([task_id]))
        return next(iter(self._readable([(task_id, flat) for flat in found if flat])), None)

    def active(self) -> tuple[WorkerTask, ...]:
        return longest_first(self._readable(self._call("active")[0]))

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        found: list[WorkerTask] = []
        for part in PARTS:
            rest = None if limit is None else limit - len(found)
            of_part, count = self._walk(part, offset=max(0, offset), limit=rest)
            found += of_part
            offset -= count
        return tuple(found)

    def _walk(self, part: str, *, offset: int, limit: int | None) -> tuple[list[WorkerTask], int]:
        """The tasks of one part, and how many it holds in all. Read page by page, so that a long
        queue never blocks the server. The cursor: the last score, and how many with it were seen.
        """
        found: list[WorkerTask] = []
        score, skip, count = "-inf", offset, 0
        while True:
            at_most = READ_PAGE if limit is None else min(READ_PAGE, limit - len(found))
            pairs, scores, count = self._call(
                "queued", part=part, score=score, skip=skip, at_most=at_most
            )
            found += self._readable(pairs)
            if len(pairs) < READ_PAGE or at_most < READ_PAGE:
                return found, int(count)
            last = answers.text(scores[-1])
            same = sum(1 for s in scores if answers.text(s) == last)
            skip = skip + same if last == score else same
            score = last

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        found: list[tuple[WorkerTask, QueuePlace]] = []
        last, seen = after, 0
        for part in parts_from(after):
            pairs, scores, last_us = self._call(
                "queue_page", **_behind(part, after), at_most=limit - seen
            )
            seen += len(pairs)
            for pair, score in zip(pairs, scores, strict=True):
                last = _place(part, score, last_us, pair[0])
                found += [
                    (task, replace(last, queued_us=to_us(task.queued_at)))
                    for task in self._readable([pair])
                ]
            if seen == limit:
                break
        tasks, places = tuple(task for task, _ in found), tuple(place for _, place in found)
        return QueuePage(tasks, places, last if seen == limit and seen else None)

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        front = "" if task.front_score is None else task.front_score
        (counts,) = self._call(
            "ahead_of",
            task_id=task.id,
            front_score=front,
            queued_us=to_us(task.queued_at),
            priority=task.priority,
        )
        found = answers.mapping(counts)
        return {crm: int(count) for crm, count in sorted(found.items()) if int(count)}

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        answer = self._call("snapshot", queue_limit=queue_limit)
        active, queued, delayed, held = (tuple(self._readable(pairs)) for pairs in answer[3:7])
        return answers.snapshot(
            answer,
            policy=self._policy,
            active=longest_first(active),
            queued=queued,
            delayed=delayed,
            held=held,
        )

    # Whole-pool verbs

    def clear_queue(
        self, *, change: ChangeRequest = UNSIGNED, limit: int = 1000
    ) -> tuple[WorkerTask, ...]:
        cleared: list[WorkerTask] = []
        while len(cleared) < limit:
            at_most = min(CHUNK, limit - len(cleared))
            (chunk, looked_at) = self._call(
                "clear_queue", reason=change.reason, token=new_token(), at_most=at_most
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

    def repair(self, task_id: str) -> WorkerTask:
        return self._one("repair", task_id)

    def drop_dead_letter(self, task_id: str) -> bool:
        return bool(self._call("drop_dead_letter", task_id=task_id)[0])

    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        known = answers.task_names_arg(task_names)
        self._call("worker_seen", name=name, capacity=capacity, task_names=known, release=release)

    def worker_gone(self, name: str) -> None:
        self._call("worker_gone", name=name)

    def note_monitor_round(self) -> datetime:
        return from_us(int(self._call("note_monitor_round")[0]))

    def last_monitor_round(self) -> datetime | None:
        (noted,) = self._call("last_monitor_round")
        return answers.moment(answers.text(noted))

    def ping(self) -> None:
        self._reach(self._client.ping)


def _placed(task: WorkerTask, at: datetime) -> WorkerTask:
    """The task as it was just stored: to read it again would tell no more."""
    stored = copy(task)
    stored.status, stored.queued_at, stored.revision = TaskStatus.QUEUED, at, 1
    return stored


def _fields(task: WorkerTask) -> dict[str, str]:
    return to_fields(task) | {"status": TaskStatus.QUEUED.value}


def _new(task: WorkerTask, on_overlap: OnOverlap) -> dict[str, Any]:
    """What the scripts want to know of a submission."""
    return {
        "fields": _fields(task),
        "on_overlap": on_overlap.value,
        "parameters": short_digest(task.parameters),
    }


def _behind(part: str, after: QueuePlace | None) -> dict[str, object]:
    """What the script wants to know of the place where a part goes on."""
    if after is None or after.part != part:
        return {"part": part, "score": "", "queued_us": 0, "task_id": ""}
    place = {"score": after.number, "queued_us": after.queued_us, "task_id": after.task_id}
    return {"part": part, **place}


def _place(part: str, score: Any, queued_us: Any, task_id: Any) -> QueuePlace:
    number = int(float(answers.text(score)))
    return QueuePlace(part, number, answers.number(answers.text(queued_us)), answers.text(task_id))
