"""The servers that are killed, frozen and emptied: Redis twice, and the ledger's database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from ingestion.services.system import embedded_redis
from tests.chaos.wire import Wire

START_SECONDS = 30.0
PASSWORD = "nobody-has-this"
# Errors of a server that is busy, frozen or down at the moment.
AWAY = (RedisConnectionError, RedisTimeout, ResponseError)


class RedisServer:
    """One server with an append-only file. ``also_bind``: another address to listen on."""

    def __init__(self, name: str, folder: Path, *, also_bind: str = "") -> None:
        self.name = name
        self.port = embedded_redis.free_port()
        self.is_frozen = False
        self.is_impaired = False
        self._has_answered = False
        self._folder = folder / name
        self._also_bind = also_bind
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: int, *, host: str = "127.0.0.1") -> str:
        return f"redis://{host}:{self.port}/{database}"

    @property
    def is_up(self) -> bool:
        return self._has_answered and not self.is_frozen and not self.is_impaired

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
            self.is_frozen = self.is_impaired = self._has_answered = False
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

    def impair(self, name: str, value: str) -> None:
        """A setting that makes it refuse; whoever is connected has to come again."""
        self.is_impaired = True
        with closing(self._client()) as client:
            client.config_set(name, value)
            client.client_kill_filter(_type="normal", skipme=True)

    def repair(self, name: str, value: str) -> None:
        self._insist(lambda client: client.config_set(name, value))

    def follow_nobody(self) -> None:
        """A replica whose master does not answer refuses writes and keeps what it has."""
        self.is_impaired = True
        with closing(self._client()) as client:
            client.replicaof("127.0.0.1", embedded_redis.free_port())

    def lead(self) -> None:
        self._insist(lambda client: client.replicaof("NO", "ONE"))

    def keys_of_pool(self) -> list[str]:
        """Without the answers that are kept for clients that lost theirs."""
        with closing(Redis.from_url(self.url(1), decode_responses=True)) as client:
            found = client.scan_iter(match="*worker_pool*", count=1000)
            return sorted(key for key in found if ":operation:" not in key)

    def delete(self, key: str) -> None:
        with closing(Redis.from_url(self.url(1))) as client:
            client.delete(key)

    def _insist(self, command: Callable[[Redis], object]) -> None:
        """A server that was restarted meanwhile knows of no password. Raises TimeoutError when
        none takes it."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for password in (PASSWORD, None):
                with closing(self._client(password)) as client, suppress(*AWAY):
                    command(client)
                    self.is_impaired = False
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{self.url(0)} has taken no command for {START_SECONDS} s")

    def _client(self, password: str | None = None) -> Redis:
        return Redis.from_url(self.url(0), password=password, socket_timeout=2)

    def has_waiting_readers(self) -> bool:
        """Somebody to whom the next message would be given at once."""
        with closing(Redis.from_url(self.url(0))) as client:
            return bool(client.info("clients")["blocked_clients"])


class Ledger(Protocol):
    """The database that holds the ledger, and beside it one for what real syncs load."""

    url: str
    warehouse_url: str
    is_locked: bool

    def interrupt(self) -> None: ...
    def resume(self) -> None: ...
    def remove(self) -> None: ...


class SqliteLedger:
    """A file; ``interrupt`` takes its write lock and keeps it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self._file}"
        self.warehouse_url = f"sqlite:///{folder / 'warehouse.sqlite3'}"
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
    """A database of its own, reached through a wire; ``interrupt`` cuts every connection and lets
    nobody in."""

    def __init__(self, server_url: str) -> None:
        self._admin = psycopg.connect(server_url, autocommit=True, connect_timeout=5)
        self._name = f"chaos_{uuid.uuid4().hex[:10]}"
        self._warehouse = f"{self._name}_warehouse"
        for name in (self._name, self._warehouse):
            self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._direct_url = f"{server_url.rsplit('/', 1)[0]}/{self._name}"
        self.warehouse_url = f"{self._direct_url}_warehouse"
        self._wire = Wire(self._admin.info.port, name="ledger")
        self._wire.start()
        self._lock: psycopg.Connection[object] | None = None
        address = f"{self._admin.info.host}:{self._admin.info.port}"
        self.url = self._direct_url.replace(address, f"127.0.0.1:{self._wire.port}")
        self.is_locked = False

    def interrupt(self) -> None:
        self.is_locked = True
        self._alter("ALLOW_CONNECTIONS false")
        self._throw_out()

    def read_only(self) -> None:
        self.is_locked = True
        self._alter("SET default_transaction_read_only = on")
        self._throw_out()

    def lock_table(self) -> None:
        self.is_locked = True
        self._lock = psycopg.connect(self._direct_url, connect_timeout=5)
        self._lock.execute("LOCK TABLE ingestion_synchistory IN ACCESS EXCLUSIVE MODE")

    def freeze(self) -> None:
        self.is_locked = True
        self._wire.hold()

    def crash(self) -> None:
        self.is_locked = True
        self._wire.cut()

    def lose_replies(self) -> None:
        self.is_locked = True
        self._wire.lose_replies()

    def resume(self) -> None:
        """Whatever it was."""
        self._wire.mend()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._alter("ALLOW_CONNECTIONS true")
        self._alter("RESET default_transaction_read_only")
        self._throw_out()
        self.is_locked = False

    def remove(self) -> None:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        for name in (self._name, self._warehouse):
            self._admin.execute(drop.format(sql.Identifier(name)))
        self._admin.close()
        self._wire.stop()

    def _alter(self, what: str) -> None:
        """A limit of connections would not bind superusers."""
        alter = sql.SQL("ALTER DATABASE {} {}")
        self._admin.execute(alter.format(sql.Identifier(self._name), sql.SQL(what)))

    def _throw_out(self) -> None:
        self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [self._name],
        )
