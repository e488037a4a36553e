"""The chapter of the README about production, followed word by word. make deployment"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from data_warehouse.environment import BASE_DIR
from ingestion.services.system.embedded_redis import free_port
from tests.deployment.servers import PostgreSQL, RedisServer
from tests.project_copy import copy_project

pytestmark = pytest.mark.deployment
SECONDS = 900


def snippets() -> str:
    chapter = (BASE_DIR / "README.md").read_text().split("\n## Production\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", chapter, re.M | re.S))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[PostgreSQL, RedisServer]]:
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)  # PostgreSQL runs as another account
    postgres, redis = PostgreSQL(tmp_path / "postgres"), RedisServer(tmp_path / "redis")
    yield postgres, redis
    redis.stop()
    postgres.stop()


def test_it_ends_in_a_site_with_login_rows_and_health(
    servers: tuple[PostgreSQL, RedisServer], tmp_path: Path
) -> None:
    """Changed are the addresses, which the reader puts in too."""
    postgres, redis = servers
    port, sandbox = free_port(), free_port()
    script = snippets()
    for shown, own in (
        ("postgresql://warehouse:PASSWORD@127.0.0.1:5432/warehouse", postgres.url()),
        ("redis://:PASSWORD@127.0.0.1:6379", f"redis://:{redis.password}@127.0.0.1:{redis.port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("--port 8100", f"--port {sandbox}"),
    ):
        assert shown in script
        script = script.replace(shown, own)
    clone = tmp_path / "clone"
    copy_project(clone)
    # The Python of this run in the place of python3, with nothing of what it has installed.
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / Path(sys.executable).name)
    wanted = ("HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_FIND_LINKS", "LANG")
    environment = {name: os.environ[name] for name in wanted if name in os.environ}
    log = (tmp_path / "out").open("w+b")
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=clone,
        env={**environment, "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        code = shell.wait(timeout=SECONDS)
        said = (tmp_path / "out").read_text(errors="replace")
        assert code == 0, said[-4000:]
        assert "completed after" in said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready") as answer:
            assert b'"missing": []' in answer.read()
        assert "username: operator" in (clone / "var/operator-login").read_text()
        with psycopg.connect(postgres.url()) as connection:
            rows = connection.execute("SELECT count(*) FROM hubspot.contacts").fetchone()
            runs = connection.execute("SELECT count(*) FROM ingestion_syncschedule").fetchone()
        assert rows is not None
        assert rows[0] > 0
        assert runs == (38,)
        assert len(list((clone / "backups").iterdir())) == 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        log.close()
