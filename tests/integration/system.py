"""A system of real processes: a Celery worker, a caller of the pool, a ledger in a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.ledger_file import write_ledger

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0
# Longer than the five seconds in which a worker may notice that its child was killed.
LEASE_SECONDS = 8

Found = TypeVar("Found")


def wait_for(
    look: Callable[[], Found], *, what: str, seconds: float = WAIT_SECONDS, every: float = 0.05
) -> Found:
    """The first true answer of ``look``, asked ``every`` so many seconds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(every)
    raise AssertionError(f"waited {seconds:g} s for {what}")


class DriverError(Exception):
    """The verb raised in the other process."""


@dataclass
class System:
    folder: Path
    redis: EmbeddedRedis
    environment: dict[str, str] = field(default_factory=dict)
    _driver: subprocess.Popen[str] | None = None
    worker: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.runs_file = self.folder / "runs.jsonl"
        self.runs_file.touch()
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO")},
            "DJANGO_SETTINGS_MODULE": "tests.settings_worker",
            "DATABASE_URL": f"sqlite:///{self.ledger_file}",
            "CACHE_URL": self.redis.url(1),
            # One server serves many systems, and one prefix belongs to one of them.
            "CACHE_KEY_PREFIX": f"{{{self.folder}}}",
            "CELERY_BROKER_URL": self.redis.url(0),
            "VAR_DIR": str(self.folder / "var"),
            "LOG_DIR": str(self.folder / "logs"),
            "RUNS_FILE": str(self.runs_file),
            "MAX_SYNC_WORKERS": "2",
            "WORKER_POOL_LEASE_SECONDS": str(LEASE_SECONDS),
            "WORKER_POOL_DISPATCH_SECONDS": "2",
            "CELERY_WORKER_CONCURRENCY": "4",
            **self.environment,
        }

    @property
    def ledger_file(self) -> Path:
        return self.folder / "ledger.sqlite3"

    def prepare(self) -> None:
        if "DATABASE_URL" in self.environment:
            migrate = [sys.executable, "manage.py", "migrate", "-v0"]
            subprocess.run(migrate, cwd=ROOT, env=self._env, check=True)
        else:
            write_ledger(self.ledger_file)
        self._driver = subprocess.Popen(
            [sys.executable, "-m", "tests.program", "tests.integration.driver"],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        driver = self._driver
        assert driver is not None
        assert driver.stdin is not None
        assert driver.stdout is not None
        driver.stdin.write(json.dumps([verb, args, kwargs]) + "\n")
        driver.stdin.flush()
        answer = json.loads(driver.stdout.readline() or '{"error": "the driver died"}')
        if "error" in answer:
            raise DriverError(answer["error"])
        return answer["ok"]

    @property
    def process_environment(self) -> dict[str, str]:
        """That of every process of the system."""
        return dict(self._env)

    def start_worker(self, *options: str, release: Path = ROOT, **environment: str) -> None:
        """In a session of its own, so that it can be killed whole. ``options`` of celery worker;
        ``release``: the folder of the project's version that it runs."""
        log = (self.folder / "worker.log").open("ab")
        self.worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "data_warehouse"),
                *("worker", "-l", "INFO", *options),
            ],
            cwd=release,
            env={**self._env, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        seen = len(self.online())
        wait_for(lambda: len(self.online()) > 0 or seen, what=f"a worker; see {self.worker_log()}")

    def online(self) -> list[dict[str, Any]]:
        return [w for w in self.call("get_stats")["workers"] if w["is_online"]]

    def worker_log(self) -> str:
        return (self.folder / "worker.log").read_text()[-3000:]

    def kill_worker(self) -> None:
        """kill -9 of the whole worker: main process and children."""
        assert self.worker is not None
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait(timeout=WAIT_SECONDS)
        self.worker = None

    def stop(self) -> None:
        if self.worker is not None:
            self.kill_worker()
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait(timeout=WAIT_SECONDS)

    def signal_worker(self, number: signal.Signals, *, group: bool = False) -> None:
        """To its main process, or to all of its processes."""
        assert self.worker is not None
        (os.killpg if group else os.kill)(self.worker.pid, number)

    def worker_exit(self) -> int:
        """How the worker ended by itself."""
        assert self.worker is not None
        code = self.worker.wait(timeout=WAIT_SECONDS)
        self.worker = None
        return code

    def submit(
        self,
        label: int,
        *,
        steps: int = 1,
        priority: int = 0,
        route: tuple[str, str] = ("five9", "contacts"),
        **options: Any,
    ) -> str:
        parameters = {"batch_size": label, "max_records": steps, **options.pop("parameters", {})}
        task_id: str = self.call("submit_task", *route, parameters, priority, **options)
        return task_id

    def task(self, task_id: str) -> dict[str, Any]:
        task: dict[str, Any] = self.call("get_task_status", task_id)
        return task

    def ended(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended; each look repairs what is overdue."""

        def look() -> dict[str, Any] | None:
            self.call("get_stats")
            task = self.task(task_id)
            return task if task["status"] in ("completed", "failed", "cancelled") else None

        return wait_for(look, what=f"the end of {task_id}")

    def closed_row(self, task_id: str) -> dict[str, Any]:
        """The ledger follows the store at once, not at the same moment."""

        def look() -> dict[str, Any] | None:
            row: dict[str, Any] = self.call("row", task_id)
            return row if row["end_time"] else None

        return wait_for(look, what=f"the closed row of {task_id}")

    def waiting_again(self, task_id: str) -> dict[str, Any]:
        """The task once it is queued for another attempt, in the ledger too."""

        def look() -> dict[str, Any] | None:
            task, row = self.task(task_id), self.call("row", task_id)
            return task if task["status"] == row["status"] == "queued" else None

        return wait_for(look, what=f"another attempt of {task_id}")

    def runs(self, label: int | None = None, what: str = "start") -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.runs_file.read_text().splitlines()]
        return [r for r in lines if r["what"] == what and label in (None, r["label"])]

    def started(self, label: int) -> dict[str, Any]:
        return wait_for(lambda: self.runs(label), what=f"a start of {label}")[0]


@contextmanager
def running_system(folder: Path, redis: EmbeddedRedis, **environment: str) -> Iterator[System]:
    system = System(folder, redis, environment)
    try:
        system.prepare()
        yield system
    finally:
        system.stop()
