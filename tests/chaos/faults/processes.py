"""Workers, beat and the web process, killed, stopped and told to end."""

from __future__ import annotations

import signal
from contextlib import suppress
from random import Random

from tests.chaos.faults.base import Done, Undo, Untouchable, one_up
from tests.chaos.plan import ROUTES
from tests.chaos.processes import Actor
from tests.chaos.runs import read_runs
from tests.chaos.system import START_SECONDS, NotInTime, System, wait_for


def kill_child(system: System, draw: Random) -> Done:
    """One that runs a sync, if there is one soon."""
    worker = one_up(system.workers, draw)
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
    worker = one_up(system.workers, draw)
    worker.kill()
    return worker.name, Undo(draw.uniform(0.2, 2), worker.start)


def end_worker(system: System, draw: Random) -> Done:
    """As a deployment does it."""
    worker = one_up(system.workers, draw)
    number = draw.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGQUIT))
    worker.ask_to_end(number)

    def end_and_start() -> None:
        worker.end()
        worker.start()

    return f"{number.name} to {worker.name}", Undo(draw.uniform(3, 6), end_and_start)


def stop_worker(system: System, draw: Random) -> Done:
    return _stop_worker(system, draw, draw.uniform(0.2, system.shape.lease_seconds / 2))


def stop_worker_past_lease(system: System, draw: Random) -> Done:
    return _stop_worker(system, draw, system.shape.lease_seconds + draw.uniform(1, 4))


def _stop_worker(system: System, draw: Random, seconds: float) -> Done:
    worker = one_up(system.workers, draw)
    worker.stop()
    return f"{worker.name} for {seconds:.1f} s", Undo(seconds, worker.go_on)


def older_worker(system: System, draw: Random) -> Done:
    """In the middle of a rolling update: one that does not know a task yet."""
    worker = one_up(system.workers, draw)
    crm, sync_type = draw.choice(ROUTES)
    worker.kill()
    worker.start(lacks=f"ingestion.tasks.sync_{crm}_{sync_type}")

    def update() -> None:
        worker.end()
        worker.start()

    return f"{worker.name} without {crm}.{sync_type}", Undo(draw.uniform(4, 10), update)


def kill_web(system: System, draw: Random) -> Done:
    one_up([system.web_process], draw).kill()

    def start_again() -> None:
        system.web_process.start()
        wait_for(system.web.answers, what="the web process", seconds=START_SECONDS)

    return "", Undo(draw.uniform(0, 1), start_again)


def kill_beat(system: System, draw: Random) -> Done:
    one_up([system.beat], draw).kill()
    return "", Undo(draw.uniform(1, 8), system.beat.start)


def second_beat(system: System, draw: Random) -> Done:
    if system.other_beat.is_running:
        raise Untouchable
    system.other_beat.start()
    return "", Undo(draw.uniform(5, 10), system.other_beat.kill)
