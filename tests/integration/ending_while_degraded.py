"""A worker closes the row of its attempt while another process makes the ledger the active store:
``python -m tests.program tests.integration.ending_while_degraded``. It prints one JSON object, the row."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from typing import Any
from unittest import mock

from django.db import connections, transaction
from redis import Redis

from ingestion.models import ActiveStoreState, SyncHistory
from ingestion.pool.keys import PoolKeys
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.failover.store import FailoverStore
from ingestion.services.infra.database import ledger_now
from ingestion.services.ledger import entries, state
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.system.embedded_redis import free_port
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF, DONE, Broker

# Time enough for a row that is not locked to be closed.
SECONDS = 1.0


def main() -> None:
    policy = PoolPolicy()
    nobody = Redis(port=free_port(), retry=None, socket_timeout=1, socket_connect_timeout=1)
    in_redis = RebuildableRedisStore(nobody, PoolKeys("{end}:"), policy, enter=state.enter_unknown)
    pool = WorkerPoolService(
        FailoverStore(in_redis, LedgerPoolStore(policy), policy), conf=CONF, send=Broker()
    )
    task_id = pool.submit_task("genius", "leads")
    ActiveStoreState.objects.update(quiet_until=None)
    pool.process_queue()
    held = pool.confirm_task(task_id, attempt=1, worker="w1", token=uuid.uuid4().hex)
    worker = threading.Thread(target=_end, args=(held,))
    write_back = state.columns

    def closed_meanwhile(stored: TaskRecord) -> dict[str, Any]:
        """What is written back, after a worker had the time to close the row."""
        if threading.current_thread() is not worker:
            worker.start()
            worker.join(SECONDS)
        return write_back(stored)

    with mock.patch.object(state, "columns", closed_meanwhile), transaction.atomic():
        state.restart_leases(ledger_now(), lease_seconds=90)
    worker.join()
    row = SyncHistory.objects.get()
    found = {"status": row.status, "pool_status": row.pool_status, "ended": bool(row.ended_us)}
    json.dump(found, sys.stdout)


def _end(held: WorkerTask) -> None:
    entries.complete(held, DONE)
    connections.close_all()


if __name__ == "__main__":
    main()
