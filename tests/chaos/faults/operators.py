"""What operators, messages and clocks do."""

from __future__ import annotations

import os
from random import Random

from tests.chaos.faults.base import Done, Undo, Untouchable
from tests.chaos.runs import read_runs
from tests.chaos.servers import SqliteLedger
from tests.chaos.system import LIMITS, System


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


def cancel(system: System, draw: Random) -> Done:
    """Of the newest some run and most wait."""
    ids = [*system.notes.accepted]
    if not ids:
        raise Untouchable
    chosen = draw.sample(ids[-40:], k=min(len(ids[-40:]), draw.randint(1, 3)))
    for task_id in chosen:
        system.web.cancel(task_id)
    return f"{len(chosen)} tasks", None


def limit(system: System, draw: Random) -> Done:
    number = draw.choice(LIMITS)
    system.web.set_limit(number)
    return f"to {number}", None


def move_clock(system: System, draw: Random) -> Done:
    """A jump may take no more from a lease than a holder keeps in hand."""
    offset = draw.uniform(-system.shape.lease_seconds / 16, system.shape.lease_seconds / 16)
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
    seconds = draw.choice((0.3, 1, 2)) * system.shape.lease_seconds
    return f"for {seconds:.1f} s", Undo(seconds, namespace.heal)


def wall_clock(system: System, draw: Random) -> Done:
    """The clock of one worker's host, by up to an hour. All that share a file are on one host."""
    worker = draw.choice(system.workers)
    if not worker.has_clock or isinstance(system.ledger, SqliteLedger):
        raise Untouchable
    seconds = draw.choice((-1, 1)) * draw.uniform(5, 3600)
    worker.set_clock(seconds)
    return f"of {worker.name} by {seconds:+.0f} s", Undo(draw.uniform(3, 8), worker.reset_clock)
