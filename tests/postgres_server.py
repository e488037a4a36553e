"""A PostgreSQL server of a test's own, which can be stopped as it stands."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ingestion.services.system.embedded_redis import free_port
from tests.process_tree import children

START_SECONDS = 60.0
# It does not run as root.
OTHER_USER = "nobody"
SETTINGS = ("fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=")


@dataclass(frozen=True)
class PostgresServer:
    """``url``: of its database ``postgres``, which is empty."""

    url: str
    process: subprocess.Popen[bytes]

    def freeze(self, *, whole: bool) -> None:
        """The whole server, or the process alone that lets new connections in. What stands still
        acknowledges what it is sent and answers nothing."""
        for pid in self._pids(whole):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._pids(whole=True):
            # A frozen session may have been ended meanwhile.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _pids(self, whole: bool) -> list[int]:
        return [self.process.pid, *(children(self.process.pid) if whole else ())]


def program(name: str) -> str:
    """Raises FileNotFoundError."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(places[-1]) if places else None)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed (on Debian: apt-get install postgresql)")
    return found


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """Raises FileNotFoundError where PostgreSQL's programs are not installed."""
    user = OTHER_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if user is not None:
            owner = pwd.getpwnam(user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data, port = str(Path(folder, "data")), free_port()
        made = [program("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run(made, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        process = subprocess.Popen(
            [program("postgres"), "-D", data, "-p", str(port), *options],
            user=user,
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        server = PostgresServer(f"postgresql://postgres@127.0.0.1:{port}/postgres", process)
        try:
            _await_answer(server.url)
            yield server
        finally:
            server.thaw()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=START_SECONDS)


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
