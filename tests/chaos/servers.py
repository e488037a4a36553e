"""The servers that are killed, frozen and emptied: Redis twice, and the ledger's database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from redis import Redis

from ingestion.services import embedded_redis

START_SECONDS = 30.0


class RedisServer:
    """One server with an append-only file. ``also_bind``: another address to listen on."""

    def __init__(self, name: str, folder: Path, *, also_bind: str = "") -> None:
        self.name = name
        self.port = embedded_redis.free_port()
        self.is_frozen = False
        self._has_answered = False
        self._folder = folder / name
        self._also_bind = also_bind
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: int, *, host: str = "127.0.0.1") -> str:
        return f"redis://{host}:{self.port}/{database}"

    @property
    def is_up(self) -> bool:
        return self._has_answered and not self.is_frozen

    def start(self) -> None:
        argv = list(embedded_redis.command(self._folder, port=self.port))
        if self._also_bind:
            argv += ["--bind", f"127.0.0.1 {self._also_bind}", "--protected-mode", "no"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not embedded_redis.answers(self.port, ""):
            assert time.monotonic() < deadline, f"the Redis of the {self.name} did not start"
            time.sleep(0.02)
        self._has_answered = True

    def kill(self) -> None:
        if self._process is not None:
            self.is_frozen = self._has_answered = False
            self._process.kill()
            self._process.wait()
            self._process = None

    def lose_data(self) -> None:
        """As a server without persistence does when it dies."""
        self.kill()
        shutil.rmtree(self._folder)

    def freeze(self) -> None:
        """It accepts connections and commands, and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGCONT)
        self.is_frozen = False

    def flush(self) -> None:
        with closing(Redis.from_url(self.url(0))) as client:
            client.flushall()

    def has_waiting_readers(self) -> bool:
        """Somebody to whom the next message would be given at once."""
        with closing(Redis.from_url(self.url(0))) as client:
            return bool(client.info("clients")["blocked_clients"])


class Ledger(Protocol):
    """The database that holds the ledger."""

    url: str
    is_locked: bool

    def interrupt(self) -> None: ...
    def resume(self) -> None: ...
    def remove(self) -> None: ...


class SqliteLedger:
    """A file; ``interrupt`` takes its write lock and keeps it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self._file}"
        self.is_locked = False

    def interrupt(self) -> None:
        self._lock = sqlite3.connect(
            self._file, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._lock.execute("BEGIN EXCLUSIVE")
        self.is_locked = True

    def resume(self) -> None:
        if self.is_locked:
            self._lock.close()
        self.is_locked = False

    def remove(self) -> None:
        """The folder goes as a whole."""


class PostgresLedger:
    """A database of its own; ``interrupt`` cuts every connection and lets nobody in."""

    def __init__(self, server_url: str) -> None:
        self._admin = psycopg.connect(server_url, autocommit=True, connect_timeout=5)
        self._name = f"chaos_{uuid.uuid4().hex[:10]}"
        self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._name)))
        self.url = f"{server_url.rsplit('/', 1)[0]}/{self._name}"
        self.is_locked = False

    def interrupt(self) -> None:
        self._allow("false")
        self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [self._name],
        )
        self.is_locked = True

    def resume(self) -> None:
        self._allow("true")
        self.is_locked = False

    def remove(self) -> None:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        self._admin.execute(drop.format(sql.Identifier(self._name)))
        self._admin.close()

    def _allow(self, whether: str) -> None:
        """A limit of connections would not bind superusers."""
        alter = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        self._admin.execute(alter.format(sql.Identifier(self._name), sql.SQL(whether)))
