"""The Redis servers: killed, emptied, frozen, refusing."""

from __future__ import annotations

from random import Random

from tests.chaos.faults.base import Done, Undo, Untouchable
from tests.chaos.servers import PASSWORD, RedisServer
from tests.chaos.system import System
from tests.chaos.wire import Wire


def kill_broker(system: System, draw: Random) -> Done:
    return _kill_server(system.broker, draw)


def kill_cache(system: System, draw: Random) -> Done:
    return _kill_server(system.cache, draw)


def _kill_server(server: RedisServer, draw: Random) -> Done:
    _must_be_up(server)
    server.kill()
    seconds = draw.uniform(0.1, 3)
    return f"for {seconds:.1f} s", Undo(seconds, server.start)


def lose_cache_for_long(system: System, draw: Random) -> Done:
    """Longer than any lease."""
    _must_be_up(system.cache)
    system.cache.kill()
    seconds = draw.uniform(2, 3) * system.shape.lease_seconds
    return f"for {seconds:.1f} s", Undo(seconds, system.cache.start)


def flush_broker(system: System, draw: Random) -> Done:
    return _flush(system.broker)


def flush_cache(system: System, draw: Random) -> Done:
    return _flush(system.cache)


def _flush(server: RedisServer) -> Done:
    _must_be_up(server)
    server.flush()
    return "FLUSHALL", None


def lose_cache(system: System, draw: Random) -> Done:
    _must_be_up(system.cache)
    system.cache.lose_data()
    seconds = draw.uniform(0.1, 2)
    return f"with its file, for {seconds:.1f} s", Undo(seconds, system.cache.start)


def freeze_broker(system: System, draw: Random) -> Done:
    return _freeze(system.broker, draw)


def freeze_cache(system: System, draw: Random) -> Done:
    return _freeze(system.cache, draw)


def _freeze(server: RedisServer, draw: Random) -> Done:
    _must_be_up(server)
    server.freeze()
    seconds = draw.uniform(0.5, 4)
    return f"for {seconds:.1f} s", Undo(seconds, server.thaw)


def _must_be_up(server: RedisServer) -> None:
    if not server.is_up:
        raise Untouchable


def freeze_cache_past_lease(system: System, draw: Random) -> Done:
    _must_be_up(system.cache)
    system.cache.freeze()
    seconds = system.shape.lease_seconds + draw.uniform(1, 4)
    return f"for {seconds:.1f} s", Undo(seconds, system.cache.thaw)


def fill_cache(system: System, draw: Random) -> Done:
    """No memory is left for writes: OOM."""
    return _impair(system.cache, draw, "maxmemory", "1", after="0")


def lock_out_of_cache(system: System, draw: Random) -> Done:
    """It asks for a password that nobody has: NOAUTH."""
    return _impair(system.cache, draw, "requirepass", PASSWORD, after="")


def read_only_cache(system: System, draw: Random) -> Done:
    """After a failover nobody was told of: READONLY."""
    _must_be_up(system.cache)
    system.cache.follow_nobody()
    seconds = draw.uniform(0.5, 5)
    return f"for {seconds:.1f} s", Undo(seconds, system.cache.lead)


def _impair(server: RedisServer, draw: Random, name: str, value: str, *, after: str) -> Done:
    _must_be_up(server)
    server.impair(name, value)
    seconds = draw.uniform(0.5, 5)
    return f"for {seconds:.1f} s", Undo(seconds, lambda: server.repair(name, after))


def lose_key(system: System, draw: Random) -> Done:
    """One key of the pool, as an eviction does it."""
    _must_be_up(system.cache)
    keys = system.cache.keys_of_pool()
    if not keys:
        raise Untouchable
    key = draw.choice(keys)
    system.cache.delete(key)
    return key, None


def delay_replies(system: System, draw: Random) -> Done:
    wire = _well(system.cache_wire)
    wire.slow_down(seconds=draw.uniform(0.05, 1))
    seconds = draw.uniform(1, 4)
    return f"for {seconds:.1f} s", Undo(seconds, wire.mend)


def drop_replies(system: System, draw: Random) -> Done:
    """What was asked is done, and nobody hears of it."""
    wire = _well(system.cache_wire)
    wire.lose_replies()
    seconds = draw.uniform(0.3, 3)
    return f"for {seconds:.1f} s", Undo(seconds, wire.mend)


def partition_cache(system: System, draw: Random) -> Done:
    """One worker cannot reach the cache; it reaches all the rest, and all others the cache."""
    wire = _well(system.lone_wire)
    wire.hold()
    seconds = draw.choice((0.3, 1, 2)) * system.shape.lease_seconds
    return f"{system.workers[0].name} for {seconds:.1f} s", Undo(seconds, wire.mend)


def _well(wire: Wire) -> Wire:
    if not wire.is_well:
        raise Untouchable
    return wire
