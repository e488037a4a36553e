"""URLs of servers that cannot work are refused by ``manage.py check``, with the cure."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.checks import server_problems
from ingestion.conf import ServersConf
from ingestion.services.system.embedded_redis import (
    EmbeddedRedis,
    answers,
    free_port,
    server_binary,
)

NOBODY = "redis://127.0.0.1:1/0"


def sentences(cache_url: str = NOBODY, *broker_urls: str) -> list[str]:
    found = list(server_problems(ServersConf(cache_url, broker_urls or (NOBODY,))))
    assert all(problem.hint for problem in found)
    return [str(problem.msg) for problem in found]


def test_servers_that_are_away_are_no_problem_of_the_settings() -> None:
    assert sentences() == []
    assert sentences("unix:///tmp/none.sock", "amqp://guest@127.0.0.1:1//", NOBODY) == []


@pytest.mark.parametrize("url", ["redis+cluster://a:1", "valkey://a:1/0", "a:6379", "http://a"])
def test_a_scheme_that_nothing_serves_is_refused(url: str) -> None:
    assert "cannot be used" in sentences(url)[0]
    assert sentences(NOBODY, url)[0].startswith("CELERY_BROKER_URL has the scheme")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    argv = [server_binary(), "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    cluster = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    process = subprocess.Popen([*argv, *cluster], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 15
    while not answers(port, ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait(timeout=10)


@pytest.mark.redis
def test_a_node_of_a_cluster_is_refused(node: str) -> None:
    assert sentences(node) == [
        "CACHE_URL leads to a node of a Redis cluster, which cannot be used."
    ]
    assert sentences(NOBODY, NOBODY, node) == [
        "CELERY_BROKER_URL leads to a node of a Redis cluster, which cannot be used."
    ]


@pytest.mark.redis
def test_a_server_alone_is_taken(redis_server: EmbeddedRedis) -> None:
    assert sentences(redis_server.url(1), redis_server.url(0)) == []
