"""A real pgbouncer in transaction mode before the tests' PostgreSQL: each transaction may meet another
session, and what one leaves in its session is there for whoever comes next."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from ingestion.services.system.embedded_redis import free_port

WAIT_SECONDS = 10
PLACES = ("/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer")
# It does not run as root.
OTHER_USER = "nobody"
CONFIGURATION = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
server_idle_timeout = 600
log_connections = 0
log_disconnections = 0
"""


def program() -> str | None:
    return shutil.which("pgbouncer") or next((p for p in PLACES if Path(p).exists()), None)


@contextmanager
def pooled(server_url: str, *, sessions: int = 8) -> Iterator[str]:
    """The URL of a server, by way of a pooler with so many sessions of each database. Raises
    FileNotFoundError where there is no pgbouncer."""
    found = program()
    if found is None:
        raise FileNotFoundError("pgbouncer is not installed (on Debian: apt-get install pgbouncer)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        configuration = Path(folder, "pgbouncer.ini")
        configuration.write_text(
            CONFIGURATION.format(server=_server(server_url), port=port, sessions=sessions)
        )
        process = _start(found, configuration)
        try:
            url = _at(server_url, port)
            _wait_for(url, process)
            yield url
        finally:
            process.kill()
            process.wait(timeout=WAIT_SECONDS)


def _server(url: str) -> str:
    parts = urlsplit(url)
    known = {
        "host": parts.hostname,
        "port": parts.port or 5432,
        "user": parts.username,
        "password": unquote(parts.password or ""),
    }
    return " ".join(f"{name}='{value}'" for name, value in known.items() if value)


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))


def _start(found: str, configuration: Path) -> subprocess.Popen[bytes]:
    user = None
    if os.geteuid() == 0:
        user = OTHER_USER
        for path in (configuration.parent, configuration):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    with configuration.with_name("pgbouncer.log").open("wb") as log:
        return subprocess.Popen([found, configuration], user=user, stdout=log, stderr=log)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.05)
