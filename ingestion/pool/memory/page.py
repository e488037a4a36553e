"""A part of the pool that is loaded into memory for one verb of the ledger's store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any

from ingestion.pool.clock import from_us, to_us
from ingestion.pool.controls import PoolControls, controls_from_json, controls_to_json
from ingestion.pool.memory.state import Held
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.order_rule import OrderRule, PriorityAging
from ingestion.pool.overlap import overlap_member
from ingestion.pool.record import TaskRecord
from ingestion.pool.store import Finished
from ingestion.pool.task import TaskStatus, WorkerTask


class MemoryPage(MemoryPoolStore):
    """A memory store that can be filled with tasks and read out again."""

    # Tasks

    def put(self, record: TaskRecord) -> None:
        """Add a task as ``dump`` gave it."""
        task = deepcopy(record.task)
        self._held[task.id] = Held(task, record.confirm_token, record.finish_token, record.resends)
        if task.status == TaskStatus.QUEUED:
            self._put_in_queue(self._held[task.id], record.delayed_until)
        elif task.status == TaskStatus.RUNNING:
            self._put_in_slot(task, record.sent_at)
        else:
            self._finished.put(task.id, to_us(task.completed_at or self._now))

    def _put_in_queue(self, held: Held, delayed_until: datetime | None) -> None:
        task = held.task
        self._overlaps.put(overlap_member(task))
        if task.held_place:
            self._on_hold.put(task.id, to_us(task.held_place))
        elif delayed_until:
            self._delayed.put(task.id, to_us(delayed_until))
        else:
            self._enqueue(held)

    def _put_in_slot(self, task: WorkerTask, sent_at: datetime | None) -> None:
        began_at = task.started_at or self._now
        self._active.put(task.id, to_us(task.last_heartbeat or began_at))
        if task.confirmed_at:
            self._leases.put(task.id, to_us(task.lease_expires_at or self._now))
        else:
            self._unconfirmed.put(task.id, to_us(sent_at or began_at))

    def dump(self) -> dict[str, TaskRecord]:
        """Every task by its id, for ``put``."""
        return {task_id: self._dumped(held) for task_id, held in self._held.items()}

    def _dumped(self, held: Held) -> TaskRecord:
        sent_us = self._unconfirmed.number(held.task.id)
        delayed_us = self._delayed.number(held.task.id)
        return TaskRecord(
            deepcopy(held.task),
            confirm_token=held.confirm_token,
            finish_token=held.finish_token,
            resends=held.resends,
            sent_at=None if sent_us is None else from_us(sent_us),
            delayed_until=None if delayed_us is None else from_us(delayed_us),
        )

    def holding(self, task_id: str, *, attempt: int) -> WorkerTask:
        """A task that a worker holds in this attempt; changes nothing. Errors: TaskNotFound,
        LeaseLost."""
        return deepcopy(self._held_by(task_id, attempt).task)

    def free_slots(self) -> int:
        if self._controls_in_force().pause:
            return 0
        return max(0, self._effective_limit() - len(self._active))

    def in_force(self) -> PoolControls:
        return self._controls_in_force()

    @property
    def rule(self) -> OrderRule:
        """By which places are compared."""
        return self._priority_aging.rule

    # What is no task

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Set all that is no task to what ``memory`` gave."""
        self._last_order_us = memory.get("last_order_us", 0)
        self._counters = Counter(memory.get("counters", {}))
        self._last_monitor_at = _moment(memory.get("last_monitor_at"))
        self._recall_controls(memory)
        self._worker_tasks = {
            name: frozenset(names) for name, names in memory.get("worker_tasks", {}).items()
        }
        self._worker_releases = dict(memory.get("worker_releases", {}))
        self._workers = {
            name: (datetime.fromisoformat(seen), capacity)
            for name, (seen, capacity) in memory.get("workers", {}).items()
        }

    def _recall_controls(self, memory: Mapping[str, Any]) -> None:
        self._controls, self._controls_changed_at = controls_from_json(memory)
        aging = memory.get("priority_aging")
        self._priority_aging = (
            PriorityAging.from_dict(aging) if aging else self._policy.default_aging
        )

    def memory(self) -> dict[str, Any]:
        """All that is no task, as JSON: counters, controls, workers, last times."""
        return {
            "last_order_us": self._last_order_us,
            "counters": {name: count for name, count in self._counters.items() if count},
            "last_monitor_at": _iso(self._last_monitor_at),
            **controls_to_json(self._controls, changed_at=self._controls_changed_at),
            "priority_aging": self._priority_aging.to_dict(),
            "workers": {n: [seen.isoformat(), size] for n, (seen, size) in self._workers.items()},
            "worker_tasks": {name: sorted(names) for name, names in self._worker_tasks.items()},
            "worker_releases": dict(self._worker_releases),
        }

    # Answers to operation tokens

    def recall_answer(self, token: str, at: datetime, answer: Mapping[str, Any]) -> None:
        self._answers[token] = (at, _answer_from_json(answer))

    def answer_to(self, token: str) -> dict[str, Any] | None:
        """What was answered under this token, as JSON."""
        if token not in self._answers:
            return None
        answer = self._answers[token][1]
        if isinstance(answer, Finished):
            return {"task": answer.task.to_dict(), "started": _to_dicts(answer.started)}
        return {"started": _to_dicts(answer)}


def _answer_from_json(answer: Mapping[str, Any]) -> Finished | tuple[WorkerTask, ...]:
    started = tuple(WorkerTask.from_dict(task) for task in answer["started"])
    if "task" in answer:
        return Finished(WorkerTask.from_dict(answer["task"]), started)
    return started


def _to_dicts(tasks: tuple[WorkerTask, ...]) -> list[dict[str, Any]]:
    return [task.to_dict() for task in tasks]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
