"""The pool's state and Django's cache in a Redis that Sentinels watch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.integration.failover_testbed import FailoverTestbed, epoch, quick_failover
from tests.integration.several_redis import cache_at, finish_all, pool_at, wait_until_whole
from tests.integration.system import ROOT
from tests.redis_servers import WatchedRedis, wait_until, watched_redis

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRedis]:
    with watched_redis(tmp_path_factory.mktemp("sentinel")) as found:
        yield found


@pytest.fixture
def pool(watched: WatchedRedis) -> Iterator[FailoverTestbed]:
    with quick_failover():
        yield pool_at(watched.url(1))


def test_the_primary_is_found_by_its_name_with_the_database(watched: WatchedRedis) -> None:
    cache_at(watched.url(1)).set("a", 1)
    assert watched.primary().ask("INFO", "keyspace")["db1"]["keys"] == 1
    watched.sentinels[0].kill()
    assert cache_at(watched.url(1)).get("a") == 1


def test_no_sentinel_answers() -> None:
    with pytest.raises(
        RedisConnectionError, match=r"^no Sentinel answers with a master 'Name' that"
    ):
        cache_at("redis+sentinel://127.0.0.1:1,127.0.0.1:2/Name/1").get("a")


CELERY = """
from data_warehouse.celery import app
from ingestion.services.tasks import dispatch
with app.connection_for_read() as link:
    link.ensure_connection(max_retries=1)
dispatch._producers().acquire().channel.client.set("sent", 1)
app.backend.set("kept", 1)
"""


def test_celery_finds_its_broker_and_its_results_there(watched: WatchedRedis) -> None:
    """Also where the URLs stand in the environment, which Celery reads by itself."""
    urls = {"CELERY_BROKER_URL": watched.url(0), "CELERY_RESULT_BACKEND": watched.url(2)}
    with_django = [sys.executable, "-c", f"import django; django.setup(){CELERY}"]
    subprocess.run(with_django, cwd=ROOT, env={**os.environ, **urls}, check=True)
    keys = watched.primary().ask("INFO", "keyspace")
    assert {database: found["keys"] for database, found in keys.items()} == {"db0": 1, "db2": 1}


def test_the_primary_is_killed(watched: WatchedRedis, pool: FailoverTestbed) -> None:
    """What its replica had not been told yet is in the ledger."""
    ids = [pool.submit() for _ in range(5)]
    watched.kill_primary()
    ids.append(pool.submit())
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_the_primary_and_all_sentinels_are_frozen(
    watched: WatchedRedis, pool: FailoverTestbed
) -> None:
    ids = [pool.submit() for _ in range(3)]
    with ExitStack() as frozen:
        for server in (*watched.servers, *watched.sentinels):
            frozen.enter_context(server.frozen())
        another = pool.another_process()
        ids.append(another.submit_task("genius", "leads"))
        seen = another.snapshot()
        assert seen.degraded
        assert "no Sentinel answers with a master" in (seen.degraded_reason or "")
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_the_former_primary_goes_on_for_a_while(
    watched: WatchedRedis, pool: FailoverTestbed
) -> None:
    """Asked to fail over, Sentinel tells it only after some seconds. Who is still connected there
    and who asked again agree at once, by the epoch, and each state is built once."""
    ids = [pool.submit() for _ in range(4)]
    former, before = watched.primary(), epoch()
    watched.fail_over()
    another = pool.another_process()
    assert another.snapshot().queued_count == 2
    assert former.ask("ROLE")[0] == b"master"
    assert epoch() == before + 1
    wait_until(
        "it is seen here too", lambda: pool.store._failover.active.look().epoch == before + 1
    )
    ids.append(pool.submit())
    assert another.snapshot().queued_count == 3
    assert epoch() == before + 1
    finish_all(pool, ids)
