"""Servers that run and cannot serve: whatever they reply, the pool is unavailable and says why."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.scripts import client_errors
from ingestion.pool.store import PoolPolicy
from ingestion.services.system.embedded_redis import free_port, server_binary
from tests.contract.stores import Pool, redis_pool

pytestmark = pytest.mark.redis
KEYS = PoolKeys("{dw}:1:")


# Its second port: by default 10 000 above the first, which may be none.
CLUSTER = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))


@contextmanager
def server(folder: Path, *options: str) -> Iterator[Redis]:
    """A real server with these lines of configuration."""
    port = free_port()
    argv = [server_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(
        [*argv, "--save", "", *options], stdout=subprocess.DEVNULL, start_new_session=True
    )
    client = Redis(port=port, retry=None, socket_timeout=5)
    try:
        _wait_for(client)
        yield client
    finally:
        client.close()
        process.kill()
        process.wait(timeout=10)


def _wait_for(client: Redis) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            client.ping()
        except ResponseError:
            return  # it answers, in its way
        except RedisError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start")


def assert_unavailable(client: Redis, says: str) -> None:
    """Every kind of verb: one that writes, one that reads, and the probe."""
    pool = redis_pool(client, PoolPolicy(), KEYS)
    acts: tuple[Callable[[Pool], object], ...] = (
        lambda pool: pool.submit(),
        lambda pool: pool.claim(),
        lambda pool: pool.store.snapshot(),
    )
    for act in acts:
        with pytest.raises(PoolUnavailable, match=says):
            act(pool)


def test_a_cluster_without_slots(tmp_path: Path) -> None:
    with server(tmp_path, *CLUSTER) as client:
        assert_unavailable(client, "Hash slot not served")


def test_a_node_of_a_cluster_that_has_other_slots(tmp_path: Path) -> None:
    with server(tmp_path, *CLUSTER) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + 15
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        slot = client.execute_command("CLUSTER", "KEYSLOT", KEYS.queues)
        client.execute_command("CLUSTER", "DELSLOTS", slot)
        assert_unavailable(client, "(?i)slot not served|cluster is down")


def test_commands_that_are_renamed(tmp_path: Path) -> None:
    options = ("--rename-command", "EVALSHA", "", "--rename-command", "EVAL", "")
    with server(tmp_path, *options) as client:
        assert_unavailable(client, "unknown command")


def test_a_user_who_may_not(tmp_path: Path) -> None:
    with server(tmp_path) as client:
        client.acl_setuser("default", enabled=True, commands=["-evalsha"], nopass=True)
        assert_unavailable(client, "(?i)no permissions")


def test_a_server_without_its_replicas(tmp_path: Path) -> None:
    with server(tmp_path, "--min-replicas-to-write", "1") as client:
        assert_unavailable_for_writes(client, "NOREPLICAS|Not enough good replicas")


def test_a_full_server(tmp_path: Path) -> None:
    with server(tmp_path, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as client:
        assert_unavailable_for_writes(client, "OOM|used memory")


def test_a_replica(tmp_path: Path) -> None:
    options = ("--replicaof", "127.0.0.1", str(free_port()), "--replica-serve-stale-data", "no")
    with server(tmp_path, *options) as client:
        assert_unavailable_for_writes(client, "(?i)MASTERDOWN|link with master|read only")


def assert_unavailable_for_writes(client: Redis, says: str) -> None:
    with pytest.raises(PoolUnavailable, match=says):
        redis_pool(client, PoolPolicy(), KEYS).submit()


def test_a_server_that_is_busy_with_a_script(tmp_path: Path) -> None:
    with server(tmp_path, "--busy-reply-threshold", "50") as client:
        busy = Redis(port=client.connection_pool.connection_kwargs["port"], retry=None)
        endless = threading.Thread(target=_run_endless, args=(busy,), daemon=True)
        endless.start()
        deadline = time.monotonic() + 15
        while _answers(client):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert_unavailable(client, "BUSY|busy")
        client.script_kill()
        endless.join(timeout=10)
        busy.close()


def _run_endless(client: Redis) -> None:
    with suppress(RedisError):
        client.eval("while true do end", 0)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


REPLIES = (
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CLUSTERDOWN The cluster is down",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Redis is configured to save RDB snapshots",
    "LOADING Redis is loading the dataset in memory",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "READONLY You can't write against a read only replica.",
    "UNKILLABLE Sorry the script already executed write commands",
    "INPROG Failover already in progress",
    "ERR unknown command 'EVALSHA', with args beginning with: 'x'",
    "ERR max number of clients reached",
    "ERR This Redis command is not configured by this proxy",
    "NEVERHEARD of in any version",
)


class Refusing(socketserver.StreamRequestHandler):
    """Takes the login of a client and answers everything else with one reply."""

    def handle(self) -> None:
        while words := self._command():
            is_login = words[0].upper() in {b"CLIENT", b"SELECT"}
            reply = "+OK" if is_login else f"-{self.server.reply}"  # type: ignore[attr-defined]
            self.wfile.write(f"{reply}\r\n".encode())

    def _command(self) -> list[bytes]:
        count = self.rfile.readline()
        if not count:
            return []
        found = []
        for _ in range(int(count[1:])):
            size = int(self.rfile.readline()[1:])
            found.append(self.rfile.read(size))
            self.rfile.readline()
        return found


class RefusingServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    address_family = socket.AF_INET


@pytest.mark.parametrize("reply", REPLIES, ids=[reply.split()[0] for reply in REPLIES])
def test_any_reply_that_is_no_fault_of_ours(reply: str) -> None:
    with RefusingServer(("127.0.0.1", 0), Refusing) as found:
        found.reply = reply  # type: ignore[attr-defined]
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        client = Redis(port=found.server_address[1], retry=None, protocol=2, socket_timeout=5)
        assert_unavailable(client, "Redis (cannot serve now|cannot be reached): ")
        client.close()
        found.shutdown()


def test_a_script_of_ours_that_is_wrong_is_no_outage(tmp_path: Path) -> None:
    with server(tmp_path) as client:
        for wrong in ("return nil .. 'x'", "return redis.call('SET', 'x')", "not Lua"):
            with pytest.raises(ResponseError), client_errors():
                client.eval(wrong, 0)
