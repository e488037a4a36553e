"""Real Redis servers that work together: a cluster, and a master with its Sentinels."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from ingestion.services.system.embedded_redis import free_port, server_binary

HOST = "127.0.0.1"
SLOTS = 16384
PATIENCE_SECONDS = 45
PORTS_TRIED = 3
# Special characters, which a URL has to quote.
PASSWORD, SENTINELS_PASSWORD = "of:redis/1@", "of sentinels?2"


def wait_until(what: str, true: Callable[[], object]) -> None:
    """A server that starts, or becomes a replica, cuts its clients off: that is not yet, too."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(RedisError):
            if true():
                return
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)


@dataclass
class Server:
    """One process; ``ask`` sends a command to it alone."""

    folder: Path
    port: int
    argv: tuple[str, ...]
    process: subprocess.Popen[bytes]
    password: str = ""

    def ask(self, *command: str | int) -> Any:
        options: dict[str, Any] = {"password": self.password or None, "retry": None}
        with Redis(HOST, self.port, socket_timeout=5, **options) as client:
            return client.execute_command(*command)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Of this one alone."""
        return f"redis://{_login(self.password)}{self.address}/0"

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except (RedisError, OSError):
            return False

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and does not answer."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def start_again(self) -> None:
        self.process = _process(self.folder, self.argv)
        wait_until(f"{self.address} answers", self.answers)


def _login(password: str) -> str:
    return f":{quote(password, safe='')}@" if password else ""


def _process(folder: Path, argv: tuple[str, ...]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)


def _start(folder: Path, *options: str, password: str = "", conf: str = "") -> Server:
    """A port that was free may be taken until the server has it, so others are tried too."""
    folder.mkdir(parents=True)
    for _ in range(PORTS_TRIED):
        server = _try(folder, *options, password=password, conf=conf)
        wait_until(f"{folder} starts", lambda s=server: s.has_ended() or s.answers())
        if not server.has_ended():
            return server
    raise AssertionError((folder / "log").read_text()[-2000:])


def _try(folder: Path, *options: str, password: str, conf: str) -> Server:
    port, bus_port = free_port(), free_port()
    file = folder / "server.conf"
    file.write_text(f'{conf}requirepass "{password}"\n' if password else conf)
    place = ("--port", str(port), "--bind", HOST, "--dir", str(folder))
    # By default 10 000 above the other port, which may be none.
    bus = ("--cluster-port", str(bus_port)) if "--cluster-enabled" in options else ()
    argv = (server_binary(), str(file), *place, *bus, *options)
    return Server(folder, port, argv, _process(folder, argv), password)


@contextmanager
def _stopping(servers: list[Server]) -> Iterator[None]:
    try:
        yield
    finally:
        for server in servers:
            with contextlib.suppress(OSError):
                server.process.kill()
            server.process.wait(timeout=10)


class RedisCluster:
    """Three primaries with a third of the slots each, and a replica of each."""

    def __init__(self, primaries: list[Server], replicas: list[Server]) -> None:
        self.primaries = primaries
        self.servers = [*primaries, *replicas]

    @property
    def url(self) -> str:
        hosts = ",".join(server.address for server in self.servers)
        return f"redis+cluster://{_login(PASSWORD)}{hosts}"

    def owner(self, key: str) -> Server:
        """As the cluster says it now."""
        return self._holder(key_slot(key.encode()))

    def _holder(self, slot: int) -> Server:
        (server,) = (server for server in self.servers if self._owns(server, slot))
        return server

    def other(self, key: str) -> Server:
        """A primary that has not this key's slot."""
        owner = self.owner(key)
        return next(server for server in self._primaries() if server is not owner)

    def replica_of(self, server: Server) -> Server:
        return next(
            s for s in self._up() if s.ask("ROLE")[:3] == [b"slave", HOST.encode(), server.port]
        )

    def begin_move(self, key: str, to: Server) -> Server:
        """The slot is between two nodes until ``end_move``; its node so far."""
        slot, source = key_slot(key.encode()), self.owner(key)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(to))
        return source

    def move_keys(self, key: str, source: Server, to: Server, *, at_most: int = SLOTS) -> int:
        """How many were moved."""
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", key_slot(key.encode()), at_most)
        if keys:
            login = ("AUTH", PASSWORD)
            source.ask("MIGRATE", HOST, to.port, "", 0, 5000, *login, "KEYS", *keys)
        return len(keys)

    def end_move(self, key: str, source: Server, to: Server) -> None:
        slot = key_slot(key.encode())
        for server in (to, source, *(s for s in self._up() if s not in (to, source))):
            with contextlib.suppress(RedisError):  # a replica is told by its primary
                server.ask("CLUSTER", "SETSLOT", slot, "NODE", _id(to))
        wait_until("the slot has moved", lambda: self.owner(key) is to)

    def move(self, key: str, to: Server, *, pause_seconds: float = 0) -> None:
        """As a tool that rebalances does it: a few keys at a time."""
        source = self.begin_move(key, to)
        while self.move_keys(key, source, to, at_most=10):
            time.sleep(pause_seconds)
        self.end_move(key, source, to)

    @contextmanager
    def without_slot(self, server: Server) -> Iterator[None]:
        """One slot of this server belongs to nobody, and every node knows it."""
        slot = next(
            first
            for first, _, node, *_ in server.ask("CLUSTER", "SLOTS")
            if node[2].decode() == _id(server)
        )
        for each in self._up():
            each.ask("CLUSTER", "DELSLOTS", slot)
        wait_until("the cluster is down", lambda: not any(map(_is_ok, self._primaries())))
        yield
        server.ask("CLUSTER", "ADDSLOTS", slot)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Every node knows all slots and has its replica."""
        wait_until("the cluster serves", lambda: all(map(_is_ok, self._up())))
        wait_until("the replicas follow", lambda: all(map(_follows, self._up())))

    def _primaries(self) -> list[Server]:
        return [server for server in self._up() if server.ask("ROLE")[0] == b"master"]

    def _up(self) -> list[Server]:
        return [server for server in self.servers if not server.has_ended()]

    def _owns(self, server: Server, slot: int) -> bool:
        if server.has_ended():
            return False
        return any(
            node[2].decode() == _id(server)
            for first, last, node, *_ in server.ask("CLUSTER", "SLOTS")
            if first <= slot <= last
        )


def _id(server: Server) -> str:
    found: bytes = server.ask("CLUSTER", "MYID")
    return found.decode()


def _is_ok(server: Server) -> bool:
    return bool(server.ask("CLUSTER INFO")["cluster_state"] == "ok")


def _follows(server: Server) -> bool:
    role = server.ask("ROLE")
    return role[0] == b"master" or role[3] == b"connected"


@contextmanager
def redis_cluster(folder: Path, *, node_timeout_ms: int = 5000) -> Iterator[RedisCluster]:
    login = ("--masterauth", PASSWORD)
    servers = [
        _node(folder / str(number), node_timeout_ms, *login, password=PASSWORD)
        for number in range(6)
    ]
    with _stopping(servers):
        primaries, replicas = servers[:3], servers[3:]
        for number, server in enumerate(primaries):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            server.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            server.ask("CLUSTER", "MEET", HOST, servers[0].port, _bus_port(servers[0]))
        wait_until("all have met", lambda: all(_knows(s) == len(servers) for s in servers))
        for primary, replica in zip(primaries, replicas, strict=True):
            wait_until(
                "the primary is known",
                lambda p=primary, r=replica: _id(p).encode() in r.ask("CLUSTER", "NODES"),
            )
            replica.ask("CLUSTER", "REPLICATE", _id(primary))
        cluster = RedisCluster(primaries, replicas)
        cluster.wait_until_whole()
        yield cluster


def _node(folder: Path, node_timeout_ms: int, *more: str, password: str = "") -> Server:
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms))
    quick = ("--save", "", "--repl-diskless-sync-delay", "0")
    always = ("--cluster-replica-validity-factor", "0")
    return _start(folder, *options, *always, *quick, *more, password=password)


@contextmanager
def cluster_node(folder: Path) -> Iterator[Server]:
    """One that has met no other."""
    server = _node(folder, 5000)
    with _stopping([server]):
        yield server


def _bus_port(server: Server) -> int:
    return int(server.argv[server.argv.index("--cluster-port") + 1])


def _knows(server: Server) -> int:
    return int(server.ask("CLUSTER INFO")["cluster_known_nodes"])


class WatchedRedis:
    """A primary and its replica, and three Sentinels that know it by a name with capitals."""

    NAME = "Warehouse"

    def __init__(self, servers: list[Server], sentinels: list[Server]) -> None:
        self.servers, self.sentinels = servers, sentinels

    def url(self, database: int) -> str:
        hosts = ",".join(server.address for server in self.sentinels)
        own = f"?sentinel_password={quote(SENTINELS_PASSWORD)}"
        return f"redis+sentinel://{_login(PASSWORD)}{hosts}/{self.NAME}/{database}{own}"

    def primary(self) -> Server:
        """As the Sentinels say it now."""
        (port,) = set(map(self._told_by, self.sentinels))
        return next(server for server in self.servers if server.port == port)

    def _told_by(self, sentinel: Server) -> int:
        return int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)[1])

    def fail_over(self) -> None:
        """Because somebody asks for it. The former primary goes on as such for some seconds."""
        before = self.primary()

        def is_done() -> bool:
            if self._told_by(self.sentinels[0]) == before.port:
                with contextlib.suppress(RedisError):  # one goes on, or the replica is not ready
                    self.sentinels[0].ask("SENTINEL", "FAILOVER", self.NAME)
            return self._is_another(before)

        wait_until("the other one is primary", is_done)

    def kill_primary(self) -> Server:
        """Without a word; the one that was killed."""
        before = self.primary()
        before.kill()
        wait_until("the other one is primary", lambda: self._is_another(before))
        return before

    def _is_another(self, before: Server) -> bool:
        try:
            return self.primary() is not before and self.primary().ask("ROLE")[0] == b"master"
        except ValueError:  # not all of them say the same yet
            return False


@contextmanager
def watched_redis(folder: Path) -> Iterator[WatchedRedis]:
    options = ("--save", "", "--repl-diskless-sync-delay", "0", "--masterauth", PASSWORD)
    primary = _start(folder / "primary", *options, password=PASSWORD)
    follow = ("--replicaof", HOST, str(primary.port))
    replica = _start(folder / "replica", *options, *follow, password=PASSWORD)
    with _stopping([primary, replica]):
        wait_until("the replica follows", lambda: replica.ask("ROLE")[3] == b"connected")
        sentinels = [_sentinel(folder / f"sentinel{n}", primary) for n in range(3)]
        with _stopping(sentinels):
            wait_until("the Sentinels know all", lambda: all(map(_knows_all, sentinels)))
            yield WatchedRedis([primary, replica], sentinels)


def _sentinel(folder: Path, primary: Server) -> Server:
    name = WatchedRedis.NAME
    conf = (
        f"sentinel monitor {name} {HOST} {primary.port} 2\n"
        f"sentinel down-after-milliseconds {name} 2000\n"
        f"sentinel failover-timeout {name} 10000\n"
        f'sentinel auth-pass {name} "{PASSWORD}"\n'
    )
    return _start(folder, "--sentinel", password=SENTINELS_PASSWORD, conf=conf)


def _knows_all(sentinel: Server) -> bool:
    found = sentinel.ask("SENTINEL", "MASTER", WatchedRedis.NAME)
    return bool(found[b"num-slaves"] == b"1" and found[b"num-other-sentinels"] == b"2")
