"""A whole system over a Redis of several servers, whose parts move and die under load."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.caller import Caller, assert_all_ran_once
from tests.integration.several_redis import TAG
from tests.integration.system import running_system, wait_for
from tests.redis_servers import redis_cluster, wait_until, watched_redis

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

BEFORE, MEANWHILE = 6, 12


def submit_during(caller: Caller, change: Callable[[], object]) -> None:
    """Some tasks before it, some while it goes on, one behind it; each runs once."""
    for _ in range(BEFORE):
        caller.submit(steps=8)
    caller.system.started(min(caller.accepted.values()))
    change()
    for _ in range(MEANWHILE):
        caller.submit(steps=2)
        time.sleep(0.3)
    wait_for(lambda: not caller.is_degraded(), what="the way back to Redis")
    caller.submit(steps=1)
    assert_all_ran_once(caller)
    caller.accepted.clear()


def test_a_cluster_is_resharded_and_fails_over(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    with (
        redis_cluster(tmp_path / "cluster", node_timeout_ms=2000) as cluster,
        running_system(
            tmp_path / "system", redis_server, CACHE_URL=cluster.url, CACHE_KEY_PREFIX=TAG
        ) as system,
    ):
        system.start_worker()
        caller = Caller(system)

        with ThreadPoolExecutor() as beside:
            move = partial(cluster.move, TAG, cluster.other(TAG), pause_seconds=0.3)
            moves: list[Future[None]] = []
            submit_during(caller, lambda: moves.append(beside.submit(move)))
            moves[0].result()
        # Refused while its keys stood on two nodes.
        assert "degrade" in system.call("audited", "redis")

        killed = cluster.owner(TAG)
        submit_during(caller, killed.kill)
        assert system.call("audited", "redis").count("degrade") > 1
        wait_until("a replica has the slot", lambda: cluster.owner(TAG) is not killed)

        killed.start_again()
        cluster.wait_until_whole()
        before = len(system.call("audited", "redis"))
        submit_during(caller, lambda: cluster.move(TAG, cluster.other(TAG)))
        assert len(system.call("audited", "redis")) > before
        assert not system.call("findings")["findings"]


def test_the_primary_of_everything_is_killed(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """Broker, results and state are one Redis, as in a small installation; its replica takes over
    with what it was told."""
    with (
        watched_redis(tmp_path / "sentinel") as watched,
        running_system(
            tmp_path / "system",
            redis_server,
            CACHE_URL=watched.url(1),
            CELERY_BROKER_URL=watched.url(0),
            CELERY_RESULT_BACKEND=watched.url(2),
        ) as system,
    ):
        system.start_worker()
        caller = Caller(system)
        killed = []
        submit_during(caller, lambda: killed.append(watched.kill_primary()))
        killed[0].start_again()
        wait_until("it follows the other", lambda: killed[0].ask("ROLE")[0] == b"slave")
        submit_during(caller, watched.fail_over)
