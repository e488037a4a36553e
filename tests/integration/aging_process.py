"""A process that changes the order rule while tasks wait, and may die in the middle of it.

``python -m tests.program tests.integration.aging_process STEP…`` carries out the steps in turn. The
tasks are named by letters, in the order of their submission. It prints one JSON list: what those
steps gave that give something. Without ``REDIS_PORT`` the ledger decides.
"""

from __future__ import annotations

import json
import os
import string
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from redis import Redis

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from ingestion.services.failover.store import FailoverStore
from ingestion.services.ledger.state import enter_unknown
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.system.embedded_redis import free_port
from ingestion.services.tasks import aging
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF, Broker

DIED = 9


class Process:
    def __init__(self, *, port: int, default_aging: float) -> None:
        self.passed = timedelta()
        policy = PoolPolicy(priority_aging_seconds=default_aging)
        client = Redis(port=port, db=1, retry=None, socket_timeout=5, socket_connect_timeout=1)
        self.redis = RebuildableRedisStore(
            client, PoolKeys("{aging}:"), policy, enter=enter_unknown
        )
        ledger = LedgerPoolStore(policy, clock=lambda: utc_now() + self.passed)
        self.store = FailoverStore(self.redis, ledger, policy)
        # Pages of one task each.
        self.store.rescore = self.one_more  # type: ignore[method-assign]
        self.pages_left = -1
        conf = replace(CONF, priority_aging_seconds=default_aging)
        self.pool = WorkerPoolService(self.store, conf=conf, send=Broker())

    def one_more(self, *, at_most: int = 1) -> bool:
        if self.pages_left == 0:
            os._exit(DIED)
        self.pages_left -= 1
        return FailoverStore.rescore(self.store, at_most=1)

    # The steps

    def hours(self, number: str) -> None:
        """So many pass, by the clocks of this process."""
        self.passed += timedelta(hours=int(number))
        for store in (self.redis, self.store._failover.of_epoch):
            store.clock_offset_seconds = self.passed.total_seconds()

    def pause(self, _: str) -> None:
        self.pool.pause()

    def let_go(self, _: str) -> None:
        """Ends the pause, and does nothing else that somebody who comes along does."""
        self.store.resume(None, change=ChangeRequest(by="test"))

    def submit(self, priority: str) -> None:
        letter = string.ascii_lowercase[SyncHistory.objects.count()]
        self.pool.submit_task("genius", "leads", priority=int(priority), requested_by=letter)

    def front(self, letter: str) -> None:
        self.pool.move_to_front(self.id_of(letter))

    def change(self, seconds: str) -> None:
        self.pool.set_priority_aging(float(seconds), change=ChangeRequest("ann", "a test"))

    def die_after_pages(self, pages: str) -> None:
        """The next change does not come to its end."""
        self.pages_left = int(pages)

    def die_before_the_store(self, _: str) -> None:
        aging.follow = lambda *args, **options: os._exit(DIED)

    def page(self, _: str) -> bool:
        return self.store.rescore()

    def claim(self, _: str) -> list[str]:
        return [task.requested_by for task in self.store.claim(token=uuid.uuid4().hex)]

    def monitor(self, _: str) -> None:
        self.pool.run_monitor_round()

    def queue(self, _: str) -> str:
        return "".join(task.requested_by for task in self.store.queued())

    def in_force(self, _: str) -> dict[str, Any]:
        return self.store.controls().priority_aging.to_dict()

    def id_of(self, letter: str) -> str:
        return next(task.id for task in self.store.queued() if task.requested_by == letter)


def main() -> None:
    environment = os.environ
    process = Process(
        port=int(environment.get("REDIS_PORT") or free_port()),
        default_aging=float(environment["DEFAULT_AGING"]),
    )
    found = []
    for step in sys.argv[1:]:
        name, _, given = step.partition("=")
        verb: Callable[[str], Any] = getattr(process, name)
        found.append(verb(given))
    json.dump([answer for answer in found if answer is not None], sys.stdout)


if __name__ == "__main__":
    main()
