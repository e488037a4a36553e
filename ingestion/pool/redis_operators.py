"""What operators change of the pool in Redis: limits and pauses, and the order of what waits."""

from __future__ import annotations

import json
from datetime import datetime

from ingestion.pool import controls
from ingestion.pool import redis_answers as answers
from ingestion.pool.controls import Change, Named, PoolControls
from ingestion.pool.redis_scripts import RedisScripts, new_token
from ingestion.pool.snapshot import LimitInfo, limit_info
from ingestion.pool.task import WorkerTask


class RedisOperators(RedisScripts):
    """See ``PoolStore``."""

    # Limits and pauses

    def controls(self) -> PoolControls:
        (config,) = self._call("controls")
        return answers.controls(answers.mapping(config))

    def limit(self) -> LimitInfo:
        return limit_info(self.controls(), default_max_workers=self._policy.default_max_workers)

    def set_limit(
        self,
        max_workers: int | None,
        *,
        by: str,
        reason: str = "",
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(
            controls.limit_change(
                max_workers, by=by, reason=reason, crm_source=crm_source, expires_at=expires_at
            )
        )

    def pause(
        self, crm_source: str | None, *, by: str, reason: str, expires_at: datetime | None = None
    ) -> PoolControls:
        return self._change(
            controls.pause_change(crm_source, by=by, reason=reason, expires_at=expires_at)
        )

    def resume(self, crm_source: str | None, *, by: str, reason: str = "") -> PoolControls:
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
        return answers.controls(answers.mapping(config))

    # The order of what waits

    def hold(
        self, task_id: str, *, by: str, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._if_seen("hold", task_id, expected_revision, by=by, reason=reason)

    def unhold(self, task_id: str, *, by: str, expected_revision: int | None = None) -> WorkerTask:
        return self._if_seen("unhold", task_id, expected_revision)

    def reprioritise(
        self, task_id: str, *, priority: int, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._if_seen("reprioritise", task_id, expected_revision, priority=priority)

    def move_to_front(self, task_id: str, *, expected_revision: int | None = None) -> WorkerTask:
        return self._if_seen("move_to_front", task_id, expected_revision)

    def cancel(
        self, task_id: str, *, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._if_seen("cancel", task_id, expected_revision, reason=reason)

    def _if_seen(
        self, verb: str, task_id: str, expected_revision: int | None, **given: object
    ) -> WorkerTask:
        expected = "" if expected_revision is None else expected_revision
        return self._one(verb, task_id, expected=expected, token=new_token(), **given)
