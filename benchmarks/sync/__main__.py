"""Runs each contender in a process of its own, and prints what it took and the targets' table."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from benchmarks import sync
from benchmarks.sync import extras, rest
from benchmarks.sync.contenders import (
    CONTENDERS,
    EARLIER,
    INGESTR,
    MYSQLCLIENT,
    OURS,
    PLAIN,
    PYMYSQL,
    REST,
    make_source,
)
from benchmarks.sync.targets import Figure, Key, targets

MARIADB = "mysql+pymysql://root@127.0.0.1:3306/test"
POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
# With more rows only the product is measured: what counts there is memory.
MOST_COMPARED_ROWS = 100_000
MOST_PLAIN_ROWS = 10_000
REST_ROWS = 50_000
# Beside the packages of the project, which git, linters and backups leave alone too.
FOLDER = Path(sys.prefix) / "bench"


@dataclass
class Bench:
    """``environments``: what a contender needs, None where it cannot be had."""

    mariadb: str
    postgres: str
    only: list[str]
    environments: dict[str, dict[str, str] | None] = field(default_factory=dict)
    figures: dict[Key, Figure] = field(default_factory=dict)

    def prepare(self) -> None:
        folder = FOLDER.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for name, make, variable in (
            (MYSQLCLIENT, extras.mysqlclient, "PYTHONPATH"),
            (INGESTR, extras.ingestr, "BENCH_INGESTR"),
            (EARLIER, extras.earlier_release, "PYTHONPATH"),
        ):
            if self.only and name not in self.only:
                continue
            found = make(folder)
            self.environments[name] = {variable: str(found.path)} if found.path else None
            if found.path and name == EARLIER:  # before the folder where the bench was started
                path = os.pathsep.join([str(found.path), os.getcwd()])
                self.environments[name] = {variable: path, "PYTHONSAFEPATH": "1"}
            if found.reason:
                print(f"{name} is left out: {found.reason}")

    def compare(self, rows: int) -> None:
        name = f"bench_{uuid.uuid4().hex[:8]}"
        admin = sa.create_engine(self.mariadb, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection, tempfile.TemporaryDirectory() as folder:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
            try:
                source = admin.url.set(database=name).render_as_string(hide_password=False)
                make_source(source, rows)
                for kind in CONTENDERS:
                    if kind != REST:
                        self._table(kind, rows, source, Path(folder))
            finally:
                connection.exec_driver_sql(f"DROP DATABASE {name}")

    def compare_rest(self, rows: int) -> None:
        with rest.server(rows) as source, tempfile.TemporaryDirectory() as folder:
            self._table(REST, rows, source, Path(folder))

    def _table(self, kind: str, rows: int, source: str, folder: Path) -> None:
        print(f"\n{rows:,} rows into {kind}")
        print(f"{'':22}{'':20}{'s':>8}{'CPU s':>8}{'MB':>7}{'rows/s':>10}", flush=True)
        for contender in self._contenders(kind, rows):
            try:
                self._rows(kind, rows, contender, source, folder)
            except subprocess.CalledProcessError as problem:
                lines = (problem.stderr or "").strip().splitlines() or ["it said nothing"]
                print(f"{contender:22}failed: {lines[-1][:120]}", flush=True)

    def _contenders(self, kind: str, rows: int) -> Iterator[str]:
        for contender in CONTENDERS[kind]:
            is_asked = not self.only or contender in self.only
            is_had = self.environments.get(contender, {}) is not None
            is_compared = contender in OURS or rows <= MOST_COMPARED_ROWS
            is_slow = contender == PLAIN and rows > MOST_PLAIN_ROWS
            is_few = kind == REST or (is_compared and not is_slow)
            if is_asked and is_had and is_few:
                yield contender

    def _rows(self, kind: str, rows: int, contender: str, source: str, folder: Path) -> None:
        for told in self._measured(kind, contender, source, folder):
            figure = Figure(told["seconds"], told["cpu"], told["mb"])
            self.figures[rows, kind, contender, told["phase"]] = figure
            print(
                f"{contender:22}{told['phase']:20}{figure.seconds:8.2f}{figure.cpu:8.2f}"
                f"{figure.mb:7.0f}{rows / figure.seconds:10.0f}"
            )
            steps = told["steps"] or {}
            words = ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items())
            print(f"{'':22}  {words}" if words else "", end="\n" if words else "", flush=True)

    def _measured(
        self, kind: str, contender: str, source: str, folder: Path
    ) -> Iterator[dict[str, Any]]:
        place = folder / uuid.uuid4().hex
        place.mkdir()
        if kind == "sqlite":
            url = f"sqlite:///{place / 'bench.sqlite3'}"
            yield from self._run(kind, contender, source, url, place)
            return
        name = f"bench_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                made = sa.make_url(self.postgres).set(database=name)
                url = made.render_as_string(hide_password=False)
                yield from self._run(kind, contender, source, url, place)
            finally:
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )

    def _run(
        self, kind: str, contender: str, source: str, warehouse: str, place: Path
    ) -> Iterator[dict[str, Any]]:
        words = ["--measure", kind, contender, source, warehouse, str(place)]

        done = subprocess.run(
            [sys.executable, "-m", sync.__name__, *words],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **(self.environments.get(contender) or {})},
        )
        for line in done.stdout.splitlines():
            if line.startswith('{"phase"'):
                yield json.loads(line)


def measure(kind: str, contender: str, source: str, warehouse: str, folder: str) -> None:
    """In a process of its own: a line of JSON for each phase."""
    if contender == PYMYSQL:  # also where both are installed
        sys.modules["MySQLdb"] = None  # type: ignore[assignment]
    for phase, run in CONTENDERS[kind][contender](source, warehouse, Path(folder)):
        began, cpu = time.monotonic(), _cpu()
        steps = run()
        mine, others = (
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        figure = Figure(time.monotonic() - began, _cpu() - cpu, max(mine, others))
        told = steps if isinstance(steps, dict) else None
        print(json.dumps({"phase": phase, **asdict(figure), "steps": told}), flush=True)


def _cpu() -> float:
    """Of this process and of those that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=sync.__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--postgres", default=POSTGRES)
    parser.add_argument("--mariadb", default=MARIADB)
    parser.add_argument("--only", nargs="+", default=[], help="names of contenders")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(*asked.measure)
        return
    bench = Bench(asked.mariadb, asked.postgres, asked.only)
    bench.prepare()
    for rows in asked.rows:
        bench.compare(rows)
    if set(CONTENDERS[REST]) & set(asked.only or CONTENDERS[REST]):
        bench.compare_rest(REST_ROWS)
    print(f"\n{'targets':66}{'limit':>8}{'here':>8}{'by CPU':>8}")
    for target in targets(bench.figures):
        here, cpu = (
            "–" if value is None else f"{value:.2f}" for value in (target.measured, target.by_cpu)
        )
        limit = f"{target.sign} {target.limit:g}"
        print(f"{target.title:66}{limit:>8}{here:>8}{cpu:>8}  {target.verdict}")


if __name__ == "__main__":
    main()
