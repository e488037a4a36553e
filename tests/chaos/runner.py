"""Lets a plan happen to a system, waits until everything has ended, and judges."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random

from tests.chaos.faults import FAULTS
from tests.chaos.faults.base import Undo, Untouchable
from tests.chaos.figures import figures
from tests.chaos.judges.facts import Ending, Facts
from tests.chaos.notes import Harm, Notes
from tests.chaos.plan import Fault, Plan, Submission
from tests.chaos.recovery import Recoveries
from tests.chaos.runs import Run, read_runs
from tests.chaos.submitter import Submitter
from tests.chaos.system import LIMITS, START_LIMIT, NotInTime, System, wait_for
from tests.chaos.verdict import findings

# Longer than any backoff, and than the grace that a row without a task has.
STALL_SECONDS = 200.0
SUBMIT_SECONDS = 1200.0
ENDINGS = ("complete", "fail", "cancel")
PAUSE_SECONDS = 2.0
ROUND_SECONDS = 10.0
TRIES = 20
PROBE_PAGES, PROBE_SECONDS = 1000, 40.0


@dataclass(frozen=True)
class Verdict:
    findings: list[str]
    figures: list[str]


class PauseWatch(threading.Thread):
    """Notes when this process itself stood still: what it did then came late, and when somebody
    has stopped all of it, what the syncs wrote is no longer what they did."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(daemon=True)
        self._notes = notes

    def run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.2)
            now = time.monotonic()
            if now - last > PAUSE_SECONDS:
                self._notes.paused.append(now - last)
            last = now


class Runner:
    """``measures``: how soon single failures are noticed, before the plan begins."""

    def __init__(
        self, system: System, plan: Plan, *, say: Callable[[str], None], measures: bool = False
    ) -> None:
        self._system = system
        self._measures = measures
        self._plan = plan
        self._say = say
        self._notes: Notes = system.notes
        self._timers: list[threading.Timer] = []
        self._problems: list[str] = []

    def run(self) -> Verdict:
        PauseWatch(self._notes).start()
        recoveries = Recoveries(self._system).measure() if self._measures else []
        self._problems += [f"too late: {it}" for it in recoveries if not it.is_in_time]
        began = self._notes.began_at = time.monotonic()
        submitter = self._submitter()
        submitter.start()
        for fault in self._plan.faults:
            self._until(began + fault.at)
            self._do(fault)
        self._await_all(submitter)
        self._settle()
        seconds = time.monotonic() - began
        self._probe()
        facts = self._facts()
        found = [*self._problems, *findings(facts)]
        return Verdict(found, [*map(str, recoveries), *figures(facts, seconds=seconds)])

    def _submitter(self) -> Submitter:
        return Submitter(
            self._system.web, self._notes, self._plan.submissions, seconds=self._plan.seconds
        )

    def _until(self, moment: float) -> None:
        while time.monotonic() < moment:
            self._restart_the_dead()
            time.sleep(0.05)

    def _restart_the_dead(self) -> None:
        """As a supervisor does; a process that ends by itself is told of in the figures."""
        for actor in self._system.actors:
            if actor.has_died:
                self._say(str(actor.forget()))
                actor.start()

    def _do(self, fault: Fault) -> None:
        draw, kind = Random(fault.seed), fault.kind
        for _ in range(TRIES):
            harm = Harm(kind, time.monotonic())
            try:
                told, undo = FAULTS[kind](self._system, draw)
            except Untouchable:
                kind = draw.choice(self._plan.kinds)
                continue
            self._note(harm, told, undo)
            return

    def _note(self, harm: Harm, told: str, undo: Undo | None) -> None:
        self._notes.faults[harm.kind] += 1
        harm.told = told
        self._notes.harms.append(harm)
        self._say(f"{time.monotonic() - self._notes.began_at:6.1f} s  {harm.kind} {told}")
        if undo is None:
            harm.until = time.monotonic()
            return
        timer = threading.Timer(undo.after, self._undo, (undo, harm))
        timer.start()
        self._timers.append(timer)

    @staticmethod
    def _undo(undo: Undo, harm: Harm) -> None:
        undo.action()
        harm.until = time.monotonic()

    def _await_all(self, submitter: Submitter) -> None:
        """Every fault undone, every submission made."""
        for timer in self._timers:
            timer.join()
        deadline = time.monotonic() + SUBMIT_SECONDS
        while submitter.is_alive() and time.monotonic() < deadline:
            self._restart_the_dead()
            time.sleep(0.1)
        if submitter.is_alive():
            self._problems.append(f"only {submitter.asked} submissions were made")

    def _settle(self) -> None:
        self._say("everything is put right; waiting until all tasks have ended")
        self._system.web.set_limit(max(LIMITS))
        with self._in_time():
            self._wait_while_tasks_end()

    def _wait_while_tasks_end(self) -> None:
        """However many there are; what hangs shows by no other ending for so long."""
        left: object = None
        deadline = 0.0
        while not self._is_quiet():
            before, left = left, self._system.observer.ask("open_rows")
            if left != before:
                deadline = time.monotonic() + STALL_SECONDS
            elif time.monotonic() > deadline:
                raise NotInTime(f"no task ended for {STALL_SECONDS:g} s, {left} are open")
            time.sleep(0.5)

    def _is_quiet(self) -> bool:
        self._restart_the_dead()
        ask = self._system.observer.ask
        slots, messages = ask("slots"), ask("messages")
        return (
            ask("open_rows") == 0
            and slots is not None
            and messages is not None
            and not any([*slots.values(), *messages.values()])
        )

    def _probe(self) -> None:
        """Afterwards every slot can be used again."""
        self._system.web.set_limit(START_LIMIT)
        begin = time.monotonic()
        submissions = [
            Submission(n, ("five9", "contacts"), 0, 1, PROBE_PAGES, False)
            for n in range(1, 2 * START_LIMIT + 1)
        ]
        Submitter(self._system.web, self._notes, submissions, seconds=0).run()
        with self._in_time():
            wait_for(
                lambda: len(self._running_since(begin)) == START_LIMIT,
                what=f"{START_LIMIT} syncs at once afterwards",
                seconds=PROBE_SECONDS,
            )
        for accepted in list(self._notes.accepted.values()):
            if accepted.asked_at >= begin:
                self._system.web.cancel(accepted.task_id)
        with self._in_time():
            self._wait_while_tasks_end()

    def _running_since(self, moment: float) -> list[Run]:
        runs = read_runs(self._system.runs_file, self._notes)
        return [run for run in runs if run.start > moment and run.end is None]

    def _messages_left(self) -> dict[str, int]:
        """Not a round of the monitor, which comes and goes."""
        deadline = time.monotonic() + ROUND_SECONDS
        while True:
            found: dict[str, int] = self._system.observer.ask("messages")
            if not any(found.values()) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _in_time(self) -> suppress:
        return _Noting(self._problems)

    def _facts(self) -> Facts:
        ask = self._system.observer.ask
        rows = {row["worker_pool_task_id"]: row for row in ask("rows")}
        for row in rows.values():
            row["started_at"] = datetime.fromisoformat(row["start_time"]).timestamp()
        known = ask("tasks", [*rows])
        return Facts(
            notes=self._notes,
            runs=read_runs(self._system.runs_file, self._notes),
            rows=rows,
            endings=[Ending(*ending) for ending in ask("actions", [*ENDINGS])],
            retries=[Ending(*retry) for retry in ask("actions", ["retry"])],
            audit=[tuple(record) for record in ask("records")],
            tasks={task_id: (status, attempt) for task_id, (status, attempt) in known.items()},
            slots=ask("slots"),
            messages=self._messages_left(),
            busy=ask("busy"),
            wall_minus_monotonic=time.time() - time.monotonic(),
        )


class _Noting(suppress):
    """What does not come in time is a finding, and the judging goes on."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(NotInTime)
        self._problems = problems

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, NotInTime):
            self._problems.append(str(error))
        return bool(super().__exit__(kind, error, trace))  # type: ignore[func-returns-value,arg-type]
