"""Every key of the pool in Redis. A key string anywhere else is a bug."""

from __future__ import annotations

import re
from dataclasses import dataclass

ACTIVE_WORKERS_KEY = "worker_pool:active_workers"
TASK_QUEUE_KEY = "worker_pool:task_queue"
WORKER_STATS_KEY = "worker_pool:stats"
# List per rate of a CRM: its last places, µs since 1970. Not the pool's state: a reset leaves it.
RATE_FAMILY = "crm_rate:"


@dataclass(frozen=True)
class PoolKeys:
    """The pool's keys under the cache's own prefix, e.g. ``{dw}:1:``.

    Names ending in a colon are families: an id, a CRM or an operation token is appended. All of
    them stand under one hash tag, so that a Redis cluster keeps them on one node.
    """

    prefix: str

    def _key(self, name: str) -> str:
        return f"{self.prefix}{name}"

    @property
    def active(self) -> str:
        """Sorted set: task id by last heartbeat (moving clock), µs since 1970."""
        return self._key(ACTIVE_WORKERS_KEY)

    @property
    def leases(self) -> str:
        """Sorted set: task id by the end of its lease (alive clock), µs since 1970."""
        return self._key(f"{ACTIVE_WORKERS_KEY}:leases")

    @property
    def unconfirmed(self) -> str:
        """Sorted set: task id by the time it was last sent without a worker's confirmation, µs."""
        return self._key(f"{ACTIVE_WORKERS_KEY}:unconfirmed")

    @property
    def queues(self) -> str:
        """Set: the CRMs that have a queue."""
        return self._key(TASK_QUEUE_KEY)

    @property
    def queue_family(self) -> str:
        """Sorted set per CRM: task id by score, see ``order_rule``."""
        return self._key(f"{TASK_QUEUE_KEY}:")

    @property
    def waiting(self) -> str:
        """Sorted set: every task in a CRM's queue by its submission, µs since 1970."""
        return self._key("worker_pool:waiting")

    @property
    def delayed(self) -> str:
        """Sorted set: task id by its not-before time, µs since 1970."""
        return self._key("worker_pool:delayed")

    @property
    def held(self) -> str:
        """Sorted set: task id by when an operator held it, µs since 1970."""
        return self._key("worker_pool:held")

    @property
    def overlaps(self) -> str:
        """Sorted set, all scores 0: every QUEUED task as ``<crm>|<type>|<parameters>|<id>``."""
        return self._key("worker_pool:overlaps")

    @property
    def finished(self) -> str:
        """Sorted set: task id by its end, µs since 1970."""
        return self._key("worker_pool:finished")

    @property
    def stats(self) -> str:
        """Hash: counters, and the time of the last monitor round."""
        return self._key(WORKER_STATS_KEY)

    @property
    def config(self) -> str:
        """Hash: ``control:<name>``, each limit and pause as JSON, and ``controls_changed_at``;
        ``priority_aging``, the order rule as JSON, and ``rescored_until`` while what waits is being
        put into its order: the submission up to which it was, as ZRANGEBYSCORE takes it;
        ``last_order_us``, the latest submission; ``epoch`` and ``run_id`` of the state, or the
        token of the ``rebuild`` that goes on; ``installation``, the id of the one whose state it is,
        and ``owner``, what others are told of it."""
        return self._key("worker_pool:config")

    @property
    def workers(self) -> str:
        """Sorted set: Celery worker by its last sign of life, µs since 1970."""
        return self._key("worker_pool:workers")

    @property
    def worker_capacity(self) -> str:
        """Hash: Celery worker to its number of processes."""
        return self._key("worker_pool:workers:capacity")

    @property
    def worker_tasks(self) -> str:
        """Hash: Celery worker to the names of the tasks that it knows, each between commas."""
        return self._key("worker_pool:workers:tasks")

    @property
    def worker_releases(self) -> str:
        """Hash: Celery worker to the version that it runs."""
        return self._key("worker_pool:workers:releases")

    @property
    def dead_letters(self) -> str:
        """Hash: task id to what was stored and why it could not be read."""
        return self._key("worker_pool:set_aside")

    @property
    def task_family(self) -> str:
        """Hash per task."""
        return self._key("worker_pool:task:")

    @property
    def operation_family(self) -> str:
        """String per operation token: the answer given, kept for a repeated call."""
        return self._key("worker_pool:operation:")

    @property
    def legacy_family(self) -> str:
        """String per structure: what an older version had stored under its name."""
        return self._key("worker_pool:legacy:")

    @property
    def everything(self) -> str:
        """Any type: what all keys of the pool begin with."""
        return self._key("worker_pool:")

    @property
    def probe(self) -> str:
        """String: written to learn whether this server takes writes."""
        return self._key("worker_pool:probe")

    @property
    def pattern(self) -> str:
        """Matches every key of the pool and no other, for SCAN."""
        escaped = re.sub(r"([\\*?\[\]])", r"\\\1", self.prefix)
        return f"{escaped}worker_pool:*"

    def task(self, task_id: str) -> str:
        return f"{self.task_family}{task_id}"

    def queue(self, crm_source: str) -> str:
        return f"{self.queue_family}{crm_source}"

    def operation(self, token: str) -> str:
        return f"{self.operation_family}{token}"
