"""The whole system as processes: two Redis servers, a ledger, workers, beat, web, an observer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ingestion.services.system import embedded_redis
from tests.chaos.namespace import Namespace
from tests.chaos.notes import Notes
from tests.chaos.processes import ROOT, Actor
from tests.chaos.servers import Ledger, RedisServer
from tests.chaos.submitter import Web
from tests.chaos.wire import Wire

LEASE_SECONDS = 6.0
# The first real sync of a process imports for seconds, in which it may be able to do nothing else.
REAL_LEASE_SECONDS = 20.0
MONITOR_SECONDS = 3.0
START_LIMIT = 4
LIMITS = (2, 3, 4, 5)
START_SECONDS = 120.0

Found = TypeVar("Found")


class NotInTime(Exception):
    """Something that must come did not."""


def wait_for(look: Callable[[], Found], *, what: str, seconds: float) -> Found:
    """The first true answer; raises NotInTime."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise NotInTime(f"waited {seconds:g} s for {what}")
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Shape:
    """How large the system is."""

    workers: int = 3
    concurrency: int = 3
    lease_seconds: float = LEASE_SECONDS

    @property
    def dispatch_seconds(self) -> float:
        return self.lease_seconds / 2


class Observer:
    """A process that is never killed; one question at a time."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._lock = threading.Lock()
        with (folder / "observer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.program", "tests.chaos.observer"],
                cwd=ROOT,
                env=env,
                text=True,
                stderr=log,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )

    def ask(self, verb: str, *args: Any) -> Any:
        """The answer, or None when the pool, the ledger or the broker could not be asked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps([verb, args]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "it died"}')
        return answer.get("ok")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class System:
    """``namespace``: the last worker runs there and reaches both Redis servers from there.
    ``settings``: further ones of every process."""

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        notes: Notes,
        shape: Shape,
        *,
        namespace: Namespace | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._settings = settings or {}
        self.ledger = ledger
        self.notes = notes
        self.shape = shape
        self.namespace = namespace
        self.runs_file = folder / "runs.jsonl"
        self.clock_file = folder / "clock"
        also_bind = namespace.host if namespace else ""
        self.cache = RedisServer("cache", folder, also_bind=also_bind)
        self.broker = RedisServer("broker", folder, also_bind=also_bind)
        self.cache_wire = Wire(self.cache.port, name="cache")
        self.lone_wire = Wire(self.cache.port, name="cache of one worker")
        self.env = self._environment(shape)
        alone = {**self.env, "CACHE_URL": self._cache_url(self.lone_wire)}
        self.workers = [self._worker(1, env=alone)]
        self.workers += [self._worker(n + 1) for n in range(1, shape.workers)]
        if namespace:
            urls = {
                "CACHE_URL": self.cache.url(1, host=namespace.host),
                "CELERY_BROKER_URL": self.broker.url(0, host=namespace.host),
            }
            self.workers[-1] = self._worker(
                shape.workers, env={**self.env, **urls}, prefix=namespace.prefix
            )
        self.beat = self._beat("beat")
        self.other_beat = self._beat("other_beat")
        port = embedded_redis.free_port()
        self.web_process = self._actor("web", _web(port))
        self.web = Web(f"http://127.0.0.1:{port}", notes)

    @property
    def actors(self) -> list[Actor]:
        return [*self.workers, self.beat, self.other_beat, self.web_process]

    def start(self) -> None:
        self.cache.start()
        self.broker.start()
        for wire in self._wires:
            wire.start()
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=self.env, check=True)
        self.observer = Observer({**self.env, "CACHE_URL": self.cache.url(1)}, self.folder)
        for actor in (*self.workers, self.beat, self.web_process):
            actor.start()
        wait_for(self.web.answers, what="an answer of the web process", seconds=START_SECONDS)
        self.web.set_limit(START_LIMIT)
        wait_for(self._all_online, what="every worker", seconds=START_SECONDS)

    def stop(self) -> None:
        for actor in self.actors:
            actor.kill()
        if hasattr(self, "observer"):
            self.observer.end()
        self.ledger.resume()
        for server in (self.cache, self.broker):
            server.kill()
        for wire in self._wires:
            wire.stop()

    @property
    def _wires(self) -> tuple[Wire, Wire]:
        return self.cache_wire, self.lone_wire

    @staticmethod
    def _cache_url(wire: Wire) -> str:
        return f"redis://127.0.0.1:{wire.port}/1"

    def _all_online(self) -> bool:
        stats = self.observer.ask("stats") or {"workers": []}
        online = [worker for worker in stats["workers"] if worker["is_online"]]
        return len(online) >= len(self.workers)

    def _environment(self, shape: Shape) -> dict[str, str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("DJANGO")}
        return {
            **inherited,
            "INSIDE_TESTS": "1",
            "DOTENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "DATABASE_URL": self.ledger.url,
            "CACHE_URL": self._cache_url(self.cache_wire),
            "CELERY_BROKER_URL": self.broker.url(0),
            "VAR_DIR": str(self.folder / "var"),
            "LOG_DIR": str(self.folder / "logs"),
            "CHAOS_RUNS_FILE": str(self.runs_file),
            "CHAOS_CLOCK_FILE": str(self.clock_file),
            # Higher than it ever is set, so that a limit that was lost shows.
            "MAX_SYNC_WORKERS": str(max(LIMITS) + 3),
            "CELERY_WORKER_CONCURRENCY": str(shape.concurrency),
            "WORKER_POOL_LEASE_SECONDS": str(shape.lease_seconds),
            "WORKER_POOL_DISPATCH_SECONDS": str(shape.dispatch_seconds),
            "WORKER_POOL_MONITOR_SECONDS": str(MONITOR_SECONDS),
            "ALLOWED_HOSTS": "*",
            **self._settings,
        }

    def _actor(self, name: str, module: tuple[str, ...], **more: Any) -> Actor:
        given = {"env": self.env, "folder": self.folder, "notes": self.notes}
        return Actor(name, module, **{**given, **more})

    def _worker(self, number: int, **more: Any) -> Actor:
        name = f"worker{number}"
        module = (*CELERY, "worker", "-n", f"{name}@chaos", "-l", "INFO")
        return self._actor(name, module, has_clock=True, **more)

    def _beat(self, name: str) -> Actor:
        return self._actor(name, (*CELERY, "beat", "--pidfile=", "-l", "INFO"))


CELERY = ("celery", "-A", "data_warehouse")


def _web(port: int) -> tuple[str, ...]:
    return ("data_warehouse.web", "--listen", f"127.0.0.1:{port}", "--threads", "4")
