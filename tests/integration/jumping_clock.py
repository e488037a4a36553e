"""A process whose clock jumps ahead while the ledger stands in for Redis: ``python -m tests.program
tests.integration.jumping_clock``. It prints one JSON object."""

from __future__ import annotations

import json
import sys
import uuid
from datetime import timedelta

import time_machine
from redis import Redis

from ingestion.models import ActiveStoreState
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.failover.store import FailoverStore
from ingestion.services.ledger.state import enter_unknown
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.system.embedded_redis import free_port
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF, Broker

JUMP = timedelta(seconds=660)
RETRY_SECONDS = 20
AGAIN = Outcome(TaskStatus.FAILED, "HTTP 503 from the CRM", retry_in_seconds=RETRY_SECONDS)


def main() -> None:
    policy = PoolPolicy()
    nobody = Redis(port=free_port(), retry=None, socket_timeout=1, socket_connect_timeout=1)
    in_redis = RebuildableRedisStore(nobody, PoolKeys("{clock}:"), policy, enter=enter_unknown)
    store = FailoverStore(in_redis, LedgerPoolStore(policy), policy)
    pool = WorkerPoolService(store, conf=CONF, send=Broker())
    task_id = pool.submit_task("genius", "leads", max_attempts=2)
    ActiveStoreState.objects.update(quiet_until=None)
    pool.process_queue()
    pool.confirm_task(task_id, attempt=1, worker="w1", token=uuid.uuid4().hex)
    right = utc_now()
    with time_machine.travel(right + JUMP):
        lost = [task.id for task in store.reap().lost]
        pool.finish_task(task_id, attempt=1, outcome=AGAIN)
        waiting = pool.get_task_status(task_id)
        stays_degraded = bool(pool.get_stats()["degraded"])
    assert waiting is not None
    assert waiting.not_before is not None
    delay = (waiting.not_before - right).total_seconds()
    json.dump({"lost": lost, "delay": delay, "stays_degraded": stays_degraded}, sys.stdout)


if __name__ == "__main__":
    main()
