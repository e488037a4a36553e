"""Hosts whose clocks are wrong by hours, Redis being there: ``python -m tests.program
tests.integration.wrong_clock``. It prints one JSON object."""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import datetime, timedelta

import time_machine
from redis import Redis

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.failover.store import FailoverStore
from ingestion.services.ledger.state import enter_unknown, note_outcome
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF, DONE, Broker

HOURS = timedelta(hours=2)
FAILED = Outcome(TaskStatus.FAILED, "HTTP 401 from the CRM")


def main() -> None:
    policy = PoolPolicy()
    client = Redis(port=int(os.environ["REDIS_PORT"]), db=1)
    in_redis = RebuildableRedisStore(
        client, PoolKeys(f"{{{uuid.uuid4()}}}:"), policy, enter=enter_unknown
    )
    store = FailoverStore(in_redis, LedgerPoolStore(policy), policy)
    pool = WorkerPoolService(store, conf=CONF, send=Broker())
    right = utc_now()

    def begun(model: str) -> str:
        task_id = pool.submit_task("genius", model)
        pool.confirm_task(task_id, attempt=1, worker="w1", token=uuid.uuid4().hex)
        return task_id

    with time_machine.travel(right - HOURS):  # a host that is behind
        done, failed = begun("leads"), begun("jobs")
        pool.finish_task(done, attempt=1, outcome=DONE, held=pool.get_task_status(done))
        pool.finish_task(failed, attempt=1, outcome=FAILED)
    rows = SyncHistory.objects.values("created_at", "start_time", "end_time")
    times = [moment for row in rows for moment in row.values()]
    times += AuditRecord.objects.filter(target__in=[done, failed]).values_list("at", flat=True)

    client.flushdb()
    after_rebuild = [_status(pool, task_id) for task_id in (done, failed)]

    # One that is ahead, and dies after it has noted how its attempt ended.
    with time_machine.travel(right + HOURS):
        unheard = begun("tasks")
        note_outcome(unheard, attempt=1, outcome=FAILED)
    rows_of_unheard = SyncHistory.objects.filter(worker_pool_task_id=unheard)
    noted_at = datetime.fromisoformat(rows_of_unheard.get().outcome["at"])
    json.dump(
        {
            "wrong_by": max(abs((moment - right).total_seconds()) for moment in [*times, noted_at]),
            "after_rebuild": after_rebuild,
        },
        sys.stdout,
    )


def _status(pool: WorkerPoolService, task_id: str) -> str | None:
    task = pool.get_task_status(task_id)
    return task and task.status.value


if __name__ == "__main__":
    main()
