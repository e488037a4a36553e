"""Runs the rounds, prints the table, and shows it in README where that is asked for."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kombu import Connection

from benchmarks import pool
from benchmarks.pool import peers, report, runs
from benchmarks.pool.living import WARM_UP
from benchmarks.pool.peers import PEERS
from benchmarks.pool.plain import app
from benchmarks.pool.report import CELERY, Figure
from benchmarks.pool.submitting import CONTENDERS
from benchmarks.pool.world import World, world

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
# Beside the packages of the project, which git, linters and backups leave alone too.
FOLDER = Path(sys.prefix) / "bench" / "queues"
START_SECONDS, START_SECONDS_QUICK = 6.0, 3.0  # until every process has imported what it needs
SLOTS = 2
POLL_SECONDS, LONGEST_SECONDS = 0.2, 300.0
MANY = 5  # times as many where they are submitted at once


@dataclass
class Bench:
    """``python``: of the peers, or None where they are left out."""

    postgres: str | None
    count: int
    lives: int
    processes: list[int]
    milliseconds: list[int]
    start_seconds: float
    python: str | None
    figures: dict[tuple[str, str], list[Figure]] = field(default_factory=lambda: defaultdict(list))

    def round(self) -> None:
        for processes in self.processes:
            for contender in (*CONTENDERS, *self._peers()):
                times = MANY if "many" in contender else 1
                with world(self.postgres, has_tables="pool" in contender) as made:
                    self._prepare(made, contender)
                    found = self._submissions(made, contender, times * self.count, processes)
                self.figures[f"submit, processes: {processes}", contender].append(found)
        for milliseconds in self.milliseconds:
            for contender in ("pool", CELERY, *self._peers()):
                with world(self.postgres, has_tables="pool" in contender) as made:
                    self._prepare(made, contender)
                    found = self._lives(made, contender, milliseconds)
                self.figures[f"run, milliseconds: {milliseconds}", contender].append(found)

    def _peers(self) -> Iterator[str]:
        yield from PEERS if self.python else ()

    def _prepare(self, made: World, contender: str) -> None:
        if contender in PEERS and (words := PEERS[contender].prepare):
            subprocess.run(self._program(words), env=made.env, capture_output=True, check=True)

    def _program(self, words: tuple[str, ...]) -> list[str]:
        return [str(Path(self.python or "").parent / words[0]), *words[1:]]

    def _python_of(self, contender: str) -> str:
        return self.python or "" if contender in PEERS else sys.executable

    def _submissions(self, made: World, contender: str, count: int, processes: int) -> Figure:
        begin_at = time.time() + self.start_seconds
        words = ["-m", "benchmarks.pool.submitting", contender, str(count), str(begin_at)]
        running = [
            subprocess.Popen(
                [self._python_of(contender), *words],
                env=made.env,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        told = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
        seconds = max(one["ended"] for one in told) - min(one["began"] for one in told)
        total = count * processes
        return Figure(total / seconds, 1000 * sum(one["cpu"] for one in told) / total)

    def _lives(self, made: World, contender: str, milliseconds: int) -> Figure:
        if contender == "pool":
            with made.worker("data_warehouse", processes=SLOTS):
                asked = f"max_records={milliseconds}" if milliseconds else ""
                made.run("-m", "benchmarks.pool.living", str(self.lives), asked)
            return Figure(*runs.read(made.runs_file, last=self.lives, slots=SLOTS))
        count = WARM_UP + 5 * self.lives
        made.runs_file.write_text("")
        if contender == CELERY:
            _send(made, count, milliseconds)
            with made.worker("benchmarks.pool.plain", processes=SLOTS):
                _until_run(made, count)
        else:
            code = f"from {PEERS[contender].module} import submit; submit({count}, {milliseconds})"
            made.run("-c", code, python=self._python_of(contender))
            words = self._program(PEERS[contender].worker)
            if contender == "RQ":
                words += ["--url", made.broker_url]
            with made.running(words):
                _until_run(made, count)
        return Figure(*runs.read(made.runs_file, last=5 * self.lives, slots=SLOTS))


def _send(made: World, count: int, milliseconds: int) -> None:
    with Connection(made.broker_url) as connection, connection.Producer() as producer:
        for _ in range(count):
            app.send_task("plain.work", args=[milliseconds], producer=producer)


def _until_run(made: World, count: int) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while len(made.runs_file.read_text().splitlines()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all tasks have run after {LONGEST_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pool", description=pool.__doc__)
    parser.add_argument("--postgres", default=POSTGRES)
    parser.add_argument("--sqlite", action="store_true", help="the ledger is a SQLite file")
    parser.add_argument("--count", type=int, default=1000, help="submissions of a process")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--lives", type=int, default=400, help="tasks that are run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, of little, in 3 minutes")
    parser.add_argument("--peers", action="store_true", help="beside other queues too")
    parser.add_argument("--write", metavar="COMMAND", help="show in README that this has found it")
    return parser.parse_args()


def _python_of_peers() -> str | None:
    if problem := peers.install(FOLDER):
        print(f"The other queues are left out, they cannot be installed here: {problem}")
        return None
    return str(FOLDER / "bin" / "python")


def main() -> None:
    asked = _arguments()
    python = _python_of_peers() if asked.peers else None
    bench = Bench(
        None if asked.sqlite else asked.postgres,
        count=200 if asked.quick else asked.count,
        lives=100 if asked.quick else asked.lives,
        processes=[1] if asked.quick else asked.processes,
        milliseconds=[0] if asked.quick else [0, 10],
        start_seconds=START_SECONDS_QUICK if asked.quick else START_SECONDS,
        python=python,
    )
    rounds = 1 if asked.quick else asked.rounds
    versions = peers.versions(sys.executable) | (peers.versions(python) if python else {})
    for _ in range(rounds):
        bench.round()
    found = report.results(
        bench.figures,
        command=asked.write or "python -m benchmarks.pool",
        rounds=rounds,
        ledger="SQLite" if asked.sqlite else "PostgreSQL",
        versions=versions,
    )
    print(report.conditions(found), report.table(found), sep="\n\n")
    if asked.write:
        report.write(found)


if __name__ == "__main__":
    main()
