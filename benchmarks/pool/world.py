"""What a round needs: an empty ledger, a Redis of its own, and worker processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

STOP_SECONDS = 30
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class World:
    """``env`` is for every process of it."""

    env: dict[str, str]
    broker_url: str

    @property
    def runs_file(self) -> Path:
        return Path(self.env["BENCH_RUNS_FILE"])

    def run(self, *words: str, python: str = sys.executable) -> str:
        """What it prints."""
        done = subprocess.run(
            [python, *words], env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def worker(self, app: str, *, processes: int) -> AbstractContextManager[None]:
        """A Celery worker."""
        words = [sys.executable, "-m", "celery", "-A", app, "worker", "-c", str(processes)]
        words += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        return self.running(words)

    @contextmanager
    def running(self, words: list[str]) -> Iterator[None]:
        """A program, until the block ends."""
        log = Path(self.env["VAR_DIR"]) / f"worker-{uuid.uuid4().hex[:8]}.log"
        with log.open("w") as out:
            running = subprocess.Popen(words, env=self.env, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            running.terminate()
            running.wait(STOP_SECONDS)


@contextmanager
def world(postgres: str | None, *, has_tables: bool = True) -> Iterator[World]:
    """``postgres``: the URL of a server; None: the ledger is a SQLite file. Others than the pool need
    no tables of it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _redis(Path(folder)) as port,
        _ledger(postgres, Path(folder)) as ledger_url,
    ):
        broker = f"redis://127.0.0.1:{port}/0"
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "benchmarks.pool.settings",
            "VAR_DIR": folder,
            "LOG_DIR": folder,
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": ledger_url,
            "CACHE_URL": f"redis://127.0.0.1:{port}/1",
            "CELERY_BROKER_URL": broker,
            "BENCH_BROKER_URL": broker,
            "BENCH_RUNS_FILE": str(Path(folder) / "runs"),
        }
        made = World(env, broker)
        if has_tables:
            made.run("manage.py", "migrate", "--verbosity", "0")
        yield made


@contextmanager
def _ledger(postgres: str | None, folder: Path) -> Iterator[str]:
    if postgres is None:
        yield f"sqlite:///{folder / 'ledger.sqlite3'}"
        return
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{postgres.rsplit('/', 1)[0]}/{name}"
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def _redis(folder: Path) -> Iterator[int]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise RuntimeError("redis-server is not installed")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    running = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        _until_it_answers(port)
        yield port
    finally:
        running.terminate()
        running.wait(STOP_SECONDS)


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            redis.Redis(port=port).ping()
            return
        except redis.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError("redis-server does not answer")
