"""Connections to a Redis of several servers, behind Django's cache: a cluster, a master with Sentinels.

All keys of the cache and of the pool stand under one hash tag, so one node of a cluster has them
all. What is needed there is redis-py's pool for Sentinel, which finds a master and follows it, with
the cluster's nodes asked instead. ``redis.RedisCluster`` serves keys on all nodes, and for that it
connects to all of them as soon as it is made, waits for each that is away in turn, and repeats
commands by itself; the pool's verbs have a bound, and so has this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from django_redis.client import DefaultClient
from django_redis.client.default import glob_escape
from django_redis.util import CacheKey
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import parse_cluster_slots
from redis.crc import key_slot
from redis.exceptions import ConnectionError, MovedError, RedisError
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

logger = logging.getLogger(__name__)

Address = tuple[str, int]
# How long all nodes together are asked, and one of them.
FIND_SECONDS, NODE_SECONDS = 1.2, 0.4
# The others learn within this time what one node says of a move.
BELIEVED_SECONDS = 5.0


class SlotMoved(ConnectionError):
    """Another node has the slot now. The command was not carried out."""


class SlotFinder:
    """Stands where redis-py's pool asks a ``Sentinel`` for the master."""

    def __init__(self, nodes: Iterable[Address], slot: int, **connection: Any) -> None:
        self._nodes = list(nodes)
        self._slot = slot
        self._connection = connection
        self._moved: tuple[Address, float] | None = None

    def moved_to(self, address: Address) -> None:
        """A node said so; it may know better than the one that is asked first."""
        self._moved = address, time.monotonic() + BELIEVED_SECONDS

    def discover_master(self, _service_name: str) -> Address:
        """The node that has the slot. Raises MasterNotFoundError."""
        moved, self._moved = self._moved, None
        return moved[0] if moved and time.monotonic() < moved[1] else self._ask()

    def _ask(self) -> Address:
        until, problems = time.monotonic() + FIND_SECONDS, []
        for node in tuple(self._nodes):
            if time.monotonic() > until:
                break
            try:
                known = self._slots(node)
            except RedisError as problem:
                problems.append(f"{node[0]}:{node[1]}: {problem}")
                self._ask_last(node)
                continue
            self._learn(known)
            for (first, last), servers in known.items():
                if first <= self._slot <= last:
                    return _address(servers["primary"])
            problems.append(f"{node[0]}:{node[1]}: no node has slot {self._slot}")
        raise MasterNotFoundError(f"the cluster's slot was not found: {'; '.join(problems)}")

    def _slots(self, node: Address) -> dict[tuple[int, int], dict[str, Any]]:
        client = Redis(*node, retry=None, **self._connection)  # type: ignore[arg-type]
        try:
            found = client.execute_command("CLUSTER SLOTS")
        finally:
            client.close()
        return parse_cluster_slots(found, current_host=node[0])

    def _ask_last(self, node: Address) -> None:
        """One that is away is not waited for first each time."""
        self._nodes = [*(other for other in self._nodes if other != node), node]

    def _learn(self, known: dict[tuple[int, int], dict[str, Any]]) -> None:
        """Also the nodes that the setting does not name: those that it names may go one day."""
        for servers in known.values():
            for server in (servers["primary"], *servers["replicas"]):
                if (address := _address(server)) not in self._nodes:
                    self._nodes.append(address)


class SlotConnection(SentinelManagedConnection):
    """Connects to the node that has the slot, and again when it has moved."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except MovedError as moved:
            finder: SlotFinder = self.connection_pool.sentinel_manager
            address = (moved.host or self.host, moved.port)
            finder.moved_to(address)
            self.disconnect()
            # redis-py 8.1 sends a command once more without asking where.
            self.host, self.port = address
            raise SlotMoved(f"MOVED {moved}") from moved


class SlotSSLConnection(SlotConnection, SentinelManagedSSLConnection):
    """The same over TLS."""


class SlotConnectionPool(SentinelConnectionPool):
    """``nodes``: some of the cluster's; ``slot_of``: any key of the slot. A command that met the
    slot's old node is sent once more, to the new one; nothing else is repeated."""

    def __init__(self, *, nodes: Iterable[Address], slot_of: str, **kwargs: Any) -> None:
        is_tls = kwargs.pop("ssl", False)
        of_node = {n: v for n, v in kwargs.items() if n in {"username", "password", "protocol"}}
        of_node |= {"ssl": is_tls} | {n: v for n, v in kwargs.items() if n.startswith("ssl_")}
        slot = key_slot(slot_of.encode())
        super().__init__(
            f"slot {slot}",
            SlotFinder(
                nodes,
                slot,
                socket_timeout=NODE_SECONDS,
                socket_connect_timeout=NODE_SECONDS,
                **of_node,
            ),
            connection_class=SlotSSLConnection if is_tls else SlotConnection,
            retry=Retry(NoBackoff(), 1, (SlotMoved,)),
            **kwargs,
        )


class Sentinels(Sentinel):
    """redis-py's, whose error says in a sentence what it says in a page."""

    def discover_master(self, service_name: str) -> Address:
        try:
            found: Address = super().discover_master(service_name)
        except MasterNotFoundError as problem:
            raise MasterNotFoundError(
                f"no Sentinel answers with a master {service_name!r} that is up"
            ) from problem
        return found


class WatchedConnectionPool(SentinelConnectionPool):
    """``sentinels``: host and port of each; ``sentinel_kwargs``: of connections to them."""

    def __init__(
        self,
        *,
        sentinels: Iterable[Address],
        sentinel_kwargs: dict[str, Any],
        service_name: str,
        **kwargs: Any,
    ) -> None:
        known = Sentinels(list(sentinels), sentinel_kwargs=sentinel_kwargs)
        super().__init__(service_name, known, **kwargs)


class ClusterCacheClient(DefaultClient):
    """django-redis's client; ``clear`` deletes the cache's own keys: others may have theirs in the
    cluster, which has one database for all."""

    def clear(self, client: Redis | None = None) -> None:
        """Of every version."""
        prefix = glob_escape(str(self._backend.key_prefix))
        self.delete_pattern(CacheKey(f"{prefix}:*"), client=client, itersize=1000)


def _address(server: Any) -> Address:
    return str(server[0]), int(server[1])
