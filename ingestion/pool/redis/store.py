"""The pool's state in Redis: each verb is one Lua script, so it happens whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from copy import copy
from datetime import datetime
from functools import partial
from typing import Any

from ingestion.pool import controls
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.controls import Change, Named, PoolControls
from ingestion.pool.errors import Overlaps
from ingestion.pool.keys import PoolKeys
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.overlap import OnOverlap, short_digest
from ingestion.pool.queue_place import QueuePage, QueuePlace
from ingestion.pool.record import json_text
from ingestion.pool.redis import queue_pages, restoring
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.fields import to_fields
from ingestion.pool.redis.restoring import Enter
from ingestion.pool.redis.scripts import (
    CHUNK,
    Client,
    RedisScripts,
    client_errors,
    in_chunks,
    longest_first,
    new_token,
)
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot, limit_info
from ingestion.pool.store import READ_PAGE, Admitted, Finished, Outcome, PoolPolicy, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask


class RedisPoolStore:
    """See ``PoolStore``. The only clock is Redis's ``TIME``; ``clock_offset_seconds`` is added to
    it, so that a test can let time pass.

    ``client`` is any ``redis.Redis``; of ``enter`` see ``restoring``. ``owner`` is what other
    installations are told of this one.

    With an ``epoch`` it works on the state of that epoch alone: where that is lost it raises
    StateLost, and ``is_incomplete`` means that an answer lacks a task that was lost. Without an
    epoch it takes whatever is there as the state.
    """

    def __init__(
        self,
        client: Client,
        keys: PoolKeys,
        policy: PoolPolicy,
        *,
        enter: Enter = lambda tasks: None,
        owner: str = "",
        clock_offset_seconds: float = 0.0,
    ) -> None:
        self._enter = enter
        self._scripts = RedisScripts(
            client,
            keys,
            policy,
            import_legacy=partial(restoring.import_json, enter=enter),
            owner=owner,
            clock_offset_seconds=clock_offset_seconds,
        )

    @property
    def epoch(self) -> int | None:
        """See ``PoolStore``."""
        return self._scripts.epoch

    @property
    def is_incomplete(self) -> bool:
        return self._scripts.is_incomplete

    @property
    def clock_offset_seconds(self) -> float:
        return self._scripts.clock_offset_seconds

    @clock_offset_seconds.setter
    def clock_offset_seconds(self, seconds: float) -> None:
        self._scripts.clock_offset_seconds = seconds

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        new = _new(task, on_overlap)
        (stored,) = self._scripts.call(
            "submit", task_id=task.id, **new | {"fields": json.dumps(new["fields"])}
        )
        return self._scripts.task(task.id, stored)

    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        new = [{"id": task.id, **_new(task, on_overlap)} for task, on_overlap in tasks]
        (found,) = self._scripts.call(
            "submit_many", tasks=json_text(new), are_placed="1" if are_placed else ""
        )
        return tuple(self._became(task, flat) for (task, _), flat in zip(tasks, found, strict=True))

    def _became(self, task: WorkerTask, answer: Sequence[Any]) -> WorkerTask | Overlaps:
        """What submit_many.lua answers of one: an id, a place, or all of a task."""
        if len(answer) == 1:
            return Overlaps.told(answers.text(answer[0]), task.id)
        if len(answer) == 2:
            return _placed(task, from_us(int(answer[1])))
        return self._scripts.task(task.id, answer)

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        fields = json_text(_fields(task))
        stored, started = self._scripts.call("admit", task_id=task.id, fields=fields, token=token)
        return Admitted(self._scripts.task(task.id, stored), self._scripts.tasks(started))

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        return self._scripts.tasks(self._scripts.call("claim", token=token)[0])

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        return self._scripts.one("confirm", task_id, attempt=attempt, worker=worker, token=token)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._scripts.one("heartbeat", task_id, attempt=attempt)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        return self._scripts.one(
            "report_progress", task_id, attempt=attempt, progress=json.dumps(progress, default=str)
        )

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        retry = outcome.retry_in_seconds
        task, started = self._scripts.call(
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
        return Finished(self._scripts.task(task_id, task), self._scripts.tasks(started))

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._scripts.one("return_to_queue", task_id, attempt=attempt)

    def reap(self) -> Reaped:
        return Reaped(*map(self._scripts.tasks, self._scripts.call("reap", token=new_token())))

    # Limits and pauses

    def controls(self) -> PoolControls:
        (config,) = self._scripts.call("controls")
        return self._controls_of(config)

    def limit(self) -> LimitInfo:
        return limit_info(
            self.controls(), default_max_workers=self._scripts.policy.default_max_workers
        )

    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(
            controls.limit_change(
                max_workers, change=change, crm_source=crm_source, expires_at=expires_at
            )
        )

    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(controls.pause_change(crm_source, change=change, expires_at=expires_at))

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        return self._change(controls.resume_change(crm_source))

    def restore_controls(self, named: Named) -> PoolControls:
        return self._change(Change(named), only_lost="1")

    def _change(self, change: Change, *, only_lost: str = "") -> PoolControls:
        (config,) = self._scripts.call(
            "change_controls",
            put=answers.control_args(change.put),
            dropped=json.dumps(change.dropped),
            only_lost=only_lost,
        )
        return self._controls_of(config)

    def _controls_of(self, config: Sequence[Any]) -> PoolControls:
        return answers.controls(answers.mapping(config), self._scripts.policy)

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        (config,) = self._scripts.call("set_priority_aging", aging=aging.to_json())
        return self._controls_of(config)

    def rescore(self, *, at_most: int = 500) -> bool:
        (more,) = self._scripts.call("rescore", at_most=at_most)
        return answers.text(more) == "1"

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._scripts.one(
            "hold", task_id, **_if_seen(change), by=change.by, reason=change.reason
        )

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._scripts.one("release", task_id, **_if_seen(change))

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        return self._scripts.one("prioritize", task_id, **_if_seen(change), priority=priority)

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._scripts.one("move_to_front", task_id, **_if_seen(change))

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        (stored,) = self._scripts.call(
            "cancel", task_id=task_id, **_if_seen(change), reason=change.reason
        )
        return self._scripts.task(task_id, stored)

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        completed = json.dumps(list(predecessors))
        return self._scripts.one("meet", task_id, predecessors=completed)

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        (found,) = self._scripts.call("read", ids=json.dumps([task_id]))
        return next(iter(self._scripts.readable([(task_id, flat) for flat in found if flat])), None)

    def active(self) -> tuple[WorkerTask, ...]:
        return longest_first(self._scripts.readable(self._scripts.call("active")[0]))

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        return queue_pages.queued(self._scripts, offset=offset, limit=limit)

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        return queue_pages.queue_page(self._scripts, after=after, limit=limit)

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        front = "" if task.front_score is None else task.front_score
        (counts,) = self._scripts.call(
            "ahead_of",
            task_id=task.id,
            front_score=front,
            queued_us=to_us(task.queued_at),
            priority=task.priority,
        )
        found = answers.mapping(counts)
        return {crm: int(count) for crm, count in sorted(found.items()) if int(count)}

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        answer = self._scripts.call("snapshot", queue_limit=queue_limit)
        active, queued, delayed, held = (
            tuple(self._scripts.readable(pairs)) for pairs in answer[3:7]
        )
        return answers.snapshot(
            answer,
            policy=self._scripts.policy,
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
            (chunk, looked_at) = self._scripts.call(
                "clear_queue", reason=change.reason, token=new_token(), at_most=at_most
            )
            cleared += self._scripts.tasks(chunk)
            if int(looked_at) < at_most:
                break
        return tuple(cleared)

    def forget_finished(self, *, max_age_seconds: float) -> int:
        dropped = 0
        while chunk := int(
            self._scripts.call("forget_finished", max_age_us=seconds_to_us(max_age_seconds))[0]
        ):
            dropped += chunk
        return dropped

    def reset(self) -> int:
        client = self._scripts.client
        with client_errors():
            found = client.scan_iter(match=self._scripts.keys.pattern, count=1000)
            return sum(int(client.unlink(*chunk)) for chunk in in_chunks(found, 1000))

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        return restoring.restore(self._scripts, tasks, enter=self._enter)

    def pickled_legacy(self) -> tuple[str, ...]:
        """What an older version pickled and nobody has asked to import, by name."""
        return restoring.pickled(self._scripts)

    def import_pickled(self) -> tuple[int, int]:
        """See ``restoring``."""
        return restoring.import_pickled(self._scripts, enter=self._enter)

    def repair(self, task_id: str) -> WorkerTask:
        return self._scripts.one("repair", task_id)

    def drop_dead_letter(self, task_id: str) -> bool:
        return bool(self._scripts.call("drop_dead_letter", task_id=task_id)[0])

    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        known = answers.task_names_arg(task_names)
        self._scripts.call(
            "worker_seen", name=name, capacity=capacity, task_names=known, release=release
        )

    def worker_gone(self, name: str) -> None:
        self._scripts.call("worker_gone", name=name)

    def note_monitor_round(self) -> datetime:
        return from_us(int(self._scripts.call("note_monitor_round")[0]))

    def last_monitor_round(self) -> datetime | None:
        (noted,) = self._scripts.call("last_monitor_round")
        return answers.moment(answers.text(noted))

    def ping(self) -> None:
        with client_errors():
            self._scripts.client.ping()


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


def _if_seen(change: ChangeRequest) -> dict[str, Any]:
    """What the script of an operator's change wants to know of it."""
    seen = change.expected_revision
    return {"expected": "" if seen is None else seen, "token": new_token()}
