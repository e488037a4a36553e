"""What operators change in the Redis store: limits and pauses, and the order of the queue."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from ingestion.pool import controls
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import Change, Named, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.scripts import RedisScripts, new_token
from ingestion.pool.snapshot import LimitInfo, limit_info
from ingestion.pool.task import WorkerTask


class RedisOperators(RedisScripts):
    """See ``PoolStore``."""

    # Limits and pauses

    def controls(self) -> PoolControls:
        (config,) = self._call("controls")
        return self._controls_of(config)

    def limit(self) -> LimitInfo:
        return limit_info(self.controls(), default_max_workers=self._policy.default_max_workers)

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
        (config,) = self._call(
            "change_controls",
            put=answers.control_args(change.put),
            dropped=json.dumps(change.dropped),
            only_lost=only_lost,
        )
        return self._controls_of(config)

    def _controls_of(self, config: Sequence[Any]) -> PoolControls:
        return answers.controls(answers.mapping(config), self._policy)

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        (config,) = self._call("set_priority_aging", aging=aging.to_json())
        return self._controls_of(config)

    def rescore(self, *, at_most: int = 500) -> bool:
        (more,) = self._call("rescore", at_most=at_most)
        return answers.text(more) == "1"

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._if_seen("hold", task_id, change, by=change.by, reason=change.reason)

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._if_seen("release", task_id, change)

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        return self._if_seen("prioritize", task_id, change, priority=priority)

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._if_seen("move_to_front", task_id, change)

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._if_seen("cancel", task_id, change, reason=change.reason)

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        completed = json.dumps(list(predecessors))
        return self._one("meet", task_id, predecessors=completed)

    def _if_seen(
        self, verb: str, task_id: str, change: ChangeRequest, **given: object
    ) -> WorkerTask:
        seen = change.expected_revision
        expected = "" if seen is None else seen
        return self._one(verb, task_id, expected=expected, token=new_token(), **given)
