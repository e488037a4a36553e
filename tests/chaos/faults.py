"""What goes wrong. Each fault hits what it can, and says how it is undone, and after how long.

A fault raises Untouchable when what it would hit is down already; another one is done then.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos.processes import Actor
from tests.chaos.runs import read_runs
from tests.chaos.servers import RedisServer
from tests.chaos.system import LEASE_SECONDS, LIMITS, NotInTime, System, wait_for


class Untouchable(Exception):
    """What would be hit is not there."""


@dataclass(frozen=True)
class Undo:
    """What puts it right again, ``after`` so many seconds."""

    after: float
    action: Callable[[], None]


Done = tuple[str, Undo | None]


def kill_child(system: System, draw: Random) -> Done:
    """One that runs a sync, if there is one soon."""
    worker = _one_up(system.workers, draw)
    with suppress(NotInTime):
        wait_for(lambda: _busy_children(system, worker), what="a busy child", seconds=1)
    among = _busy_children(system, worker) or worker.children()
    if not among:
        raise Untouchable
    pid = draw.choice(among)
    worker.kill_child(pid)
    return f"child {pid} of {worker.name}", None


def _busy_children(system: System, worker: Actor) -> list[int]:
    runs = read_runs(system.runs_file, system.notes)
    going = {run.pid for run in runs if run.end is None and not run.was_killed}
    return [pid for pid in worker.children() if pid in going]


def kill_worker(system: System, draw: Random) -> Done:
    worker = _one_up(system.workers, draw)
    worker.kill()
    return worker.name, Undo(draw.uniform(0.2, 2), worker.start)


def end_worker(system: System, draw: Random) -> Done:
    """As a deployment does it."""
    worker = _one_up(system.workers, draw)
    number = draw.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGQUIT))
    worker.ask_to_end(number)

    def end_and_start() -> None:
        worker.end()
        worker.start()

    return f"{number.name} to {worker.name}", Undo(draw.uniform(3, 6), end_and_start)


def stop_worker(system: System, draw: Random) -> Done:
    return _stop_worker(system, draw, draw.uniform(0.2, LEASE_SECONDS / 2))


def stop_worker_past_lease(system: System, draw: Random) -> Done:
    return _stop_worker(system, draw, LEASE_SECONDS + draw.uniform(1, 4))


def _stop_worker(system: System, draw: Random, seconds: float) -> Done:
    worker = _one_up(system.workers, draw)
    worker.stop()
    return f"{worker.name} for {seconds:.1f} s", Undo(seconds, worker.go_on)


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
    seconds = draw.uniform(2, 3) * LEASE_SECONDS
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


def interrupt_ledger(system: System, draw: Random) -> Done:
    if system.ledger.is_locked:
        raise Untouchable
    system.ledger.interrupt()
    seconds = draw.uniform(0.3, 3)
    return f"for {seconds:.1f} s", Undo(seconds, system.ledger.resume)


def deliver_again(system: System, draw: Random) -> Done:
    """A message of now, of long ago, or of an attempt that is still to come."""
    runs = read_runs(system.runs_file, system.notes)
    if not runs or not system.broker.is_up:
        raise Untouchable
    run = draw.choice(runs[-6:] if draw.random() < 0.6 else runs)
    attempt = max(1, run.attempt + draw.choice((0, 0, 0, -1, 1)))
    copies = draw.randint(1, 4)
    system.observer.ask("publish", "five9", "contacts", run.task_id, attempt, copies)
    return f"{copies} of {run.task_id[:8]} attempt {attempt}", None


def two_monitors(system: System, draw: Random) -> Done:
    times = draw.randint(1, 3)
    system.observer.ask("monitors", times)
    return f"{times + 1} rounds at once", None


def kill_web(system: System, draw: Random) -> Done:
    children = system.web_process.children() if system.web_process.is_up else []
    if not children:
        raise Untouchable
    pid = draw.choice(children)
    system.web_process.kill_child(pid)
    return f"process {pid}", None


def kill_beat(system: System, draw: Random) -> Done:
    _one_up([system.beat], draw).kill()
    return "", Undo(draw.uniform(1, 8), system.beat.start)


def second_beat(system: System, draw: Random) -> Done:
    if system.other_beat.is_running:
        raise Untouchable
    system.other_beat.start()
    return "", Undo(draw.uniform(5, 10), system.other_beat.kill)


def cancel(system: System, draw: Random) -> Done:
    """Of the newest some run and most wait."""
    ids = [*system.notes.accepted]
    if not ids:
        raise Untouchable
    chosen = draw.sample(ids[-40:], k=min(len(ids[-40:]), draw.randint(1, 3)))
    for task_id in chosen:
        system.web.ask("cancel", task_id=task_id)
    return f"{len(chosen)} tasks", None


def limit(system: System, draw: Random) -> Done:
    number = draw.choice(LIMITS)
    system.web.set_limit(number)
    return f"to {number}", None


def move_clock(system: System, draw: Random) -> Done:
    """A jump may take no more from a lease than a holder keeps in hand."""
    offset = draw.uniform(-LEASE_SECONDS / 16, LEASE_SECONDS / 16)
    written = system.clock_file.with_suffix(".new")
    written.write_text(f"{offset:.3f}")
    os.replace(written, system.clock_file)
    return f"to {offset:+.2f} s", None


def partition(system: System, draw: Random) -> Done:
    """Between the worker of the other host and both Redis servers."""
    namespace = system.namespace
    if namespace is None or namespace.is_cut:
        raise Untouchable
    namespace.cut()
    seconds = draw.choice((0.3, 1, 2)) * LEASE_SECONDS
    return f"for {seconds:.1f} s", Undo(seconds, namespace.heal)


def _one_up(actors: Sequence[Actor], draw: Random) -> Actor:
    up = [actor for actor in actors if actor.is_up]
    if not up:
        raise Untouchable
    return draw.choice(up)


def _must_be_up(server: RedisServer) -> None:
    if not server.is_up:
        raise Untouchable


FAULTS: dict[str, Callable[[System, Random], Done]] = {
    verb.__name__: verb
    for verb in (
        *(kill_child, kill_worker, end_worker, stop_worker, stop_worker_past_lease),
        *(kill_broker, flush_broker, freeze_broker),
        *(kill_cache, flush_cache, lose_cache, lose_cache_for_long, freeze_cache),
        *(interrupt_ledger, partition),
        *(deliver_again, two_monitors, kill_web, kill_beat, second_beat),
        *(cancel, limit, move_clock),
    )
}
