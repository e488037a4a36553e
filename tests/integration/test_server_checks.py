"""URLs that lead to a server of another kind are refused by ``manage.py check``, with the cure; how
they are written is a matter of the settings, see ``test_redis_urls.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ingestion.checks import server_problems
from ingestion.conf import ServersConf
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import ROOT
from tests.redis_servers import HOST, Server, WatchedRedis, cluster_node, watched_redis

NOBODY = "redis://127.0.0.1:1/0"


def sentences(cache_url: str = NOBODY, broker_url: str = NOBODY, result_url: str = "") -> list[str]:
    found = list(server_problems(ServersConf(cache_url, broker_url, result_url)))
    assert all(problem.hint and problem.hint.startswith("Set redis://") for problem in found)
    return [str(problem.msg) for problem in found]


@pytest.mark.parametrize(
    "cache_url",
    ["unix:///tmp/none.sock", f"redis+cluster://{HOST}:1", f"redis+sentinel://{HOST}:1/m"],
)
def test_servers_that_are_away_are_no_problem_of_the_settings(cache_url: str) -> None:
    assert sentences(cache_url, f"amqp://guest@127.0.0.1:1//;{NOBODY}", "rpc://") == []


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with cluster_node(tmp_path_factory.mktemp("node") / "0") as found:
        yield found


@pytest.mark.redis
def test_a_node_of_a_cluster(node: Server) -> None:
    alone = node.url
    assert sentences(f"redis+cluster://{HOST}:1,{node.address}") == []
    assert sentences(alone, f"{NOBODY};{alone}", alone) == [
        f"{name} leads to a node of a Redis cluster."
        for name in ("CACHE_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    ]
    assert sentences(f"redis+sentinel://{node.address}/name/0") == [
        "CACHE_URL leads to a node of a Redis cluster."
    ]


@pytest.mark.redis
def test_a_server_alone(redis_server: EmbeddedRedis) -> None:
    address = redis_server.url(0).removeprefix("redis://").removesuffix("/0")
    assert sentences(redis_server.url(1), redis_server.url(0), redis_server.url(2)) == []
    for url in (f"redis+cluster://{address}", f"redis+sentinel://{address}/name/0"):
        assert sentences(url) == ["CACHE_URL leads to one Redis server."]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRedis]:
    with watched_redis(tmp_path_factory.mktemp("watched")) as found:
        yield found


@pytest.mark.redis
def test_sentinels(watched: WatchedRedis) -> None:
    assert sentences(watched.url(1), watched.url(0), watched.url(2)) == []
    other = watched.url(1).replace(watched.NAME, watched.NAME.lower())
    assert sentences(NOBODY, other) == [
        "CELERY_BROKER_URL leads to Sentinels that do not know 'warehouse', but Warehouse."
    ]
    sentinel = watched.sentinels[0].url
    for url in (sentinel, sentinel.replace("redis:", "redis+cluster:")):
        assert sentences(url) == ["CACHE_URL leads to a Sentinel of Redis."]


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("CACHE_URL", "127.0.0.1:6379", "CACHE_URL is no URL; write redis://"),
        ("CELERY_BROKER_URL", "redis+cluster://h", "is a Redis cluster, which Celery cannot use"),
        (
            "CELERY_RESULT_BACKEND",
            "redis+cluster://h",
            "is a Redis cluster, which Celery cannot use",
        ),
    ],
)
def test_check_says_so_in_a_line(name: str, url: str, says: str) -> None:
    check = [sys.executable, "manage.py", "check"]
    ran = subprocess.run(
        check, cwd=ROOT, env={**os.environ, name: url}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("  - ")]
    assert says in line
    assert "Traceback" not in ran.stderr
