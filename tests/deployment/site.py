"""A whole site in production mode: two web hosts, two worker hosts, control and beat, real servers.

The programs and their order are those of ``docker-compose.yml``. Unless ``settings`` are others, the
syncs are made up: each takes its time and writes down when it ran.
"""

from __future__ import annotations

import json
import math
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.namespace import NoNamespace
from tests.deployment.figures import Figures, Run
from tests.deployment.hosts import Host, Program, wait_for
from tests.deployment.release import PORT, TODAY, Release
from tests.deployment.servers import PostgreSQL, RabbitMQ, RedisServer
from tests.production import production_environment

STEP_SECONDS, LEASE_SECONDS = 0.2, 12
QUEUES = {"worker": "dw-production", "control": "dw-control"}
WEB, WORKERS = ("web1", "web2"), ("work1", "work2")
# The host of each program.
HOST_OF = {name: name for name in (*WEB, *WORKERS)} | {"control": "web1", "beat": "web2"}


def no_more(_host: Host) -> dict[str, str]:
    return {}


def seen_from(host: Host, settings: Mapping[str, str]) -> dict[str, str]:
    """Settings that name this machine by its local address, for programs on that host."""
    return {name: text.replace("127.0.0.1", host.gateway) for name, text in settings.items()}


class Site:
    """Used once: make it, ``start``, and always ``stop``. ``more`` is what the environment of a
    host has beside the usual."""

    def __init__(
        self,
        folder: Path,
        *,
        release: Release = TODAY,
        settings: str = "tests.settings_worker",
        more: Callable[[Host], Mapping[str, str]] = no_more,
        rabbitmq: bool = False,
    ) -> None:
        self.folder, self.release = folder, release
        self._settings, self._more = settings, more
        self._cut_at: dict[str, float] = {}
        self._key = secrets.token_urlsafe(50)
        self.hosts: dict[str, Host] = {}
        self.programs: dict[str, Program] = {}
        self.postgres = PostgreSQL(folder / "postgres")
        self.redis = RedisServer(folder / "redis")
        self.rabbitmq = RabbitMQ(folder / "rabbitmq") if rabbitmq else None

    def environment(self, host: Host) -> dict[str, str]:
        """Of every program on that host, whose folders are its own."""
        url = self.postgres.url(host.gateway)
        broker = self.rabbitmq.url(host.gateway) if self.rabbitmq else None
        usual = {
            "DJANGO_SETTINGS_MODULE": self._settings,
            "SECRET_KEY": self._key,
            "ALLOWED_HOSTS": f"warehouse.example.com,{host.address}",
            "SITE_URL": "https://warehouse.example.com",
            "TRUSTED_PROXIES": host.gateway,
            "DATABASE_URL": url,
            "WAREHOUSE_URL": url,
            "CACHE_URL": self.redis.url(1, host.gateway),
            "CELERY_BROKER_URL": broker or self.redis.url(0, host.gateway),
            "CELERY_CONTROL_QUEUE": QUEUES["control"],
            "CELERY_WORKER_CONCURRENCY": "4",
            "MAX_SYNC_WORKERS": "6",
            "WORKER_POOL_MAX_ATTEMPTS": "3",
            "WORKER_POOL_LEASE_SECONDS": str(LEASE_SECONDS),
            "WORKER_POOL_DISPATCH_SECONDS": "4",
            "WORKER_POOL_MONITOR_SECONDS": "5",
            "RUNS_FILE": str(self._runs_file(host)),
            "FAKE_STEP_SECONDS": str(STEP_SECONDS),
        }
        return production_environment(self.folder_of(host), **{**usual, **self._more(host)})

    def folder_of(self, host: Host) -> Path:
        """Its own disk."""
        return self.folder / host.namespace.name

    def _runs_file(self, host: Host) -> Path:
        return self.folder / f"runs-{host.namespace.name}.jsonl"

    def manage(self, *words: str, host: str = "web1") -> subprocess.CompletedProcess[str]:
        """Whatever its exit code."""
        found = self.hosts[host]
        return subprocess.run(
            found.words(self.release.python, "manage.py", *words),
            cwd=self.release.folder,
            env=self.environment(found),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def managed(self, *words: str) -> str:
        """What it prints; it must go well."""
        done = self.manage(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask_django(self, expression: str) -> Any:
        """What an expression is in a shell of the release that is installed, by way of JSON."""
        code = (
            "import json; from ingestion.models import SyncHistory as Runs;"
            "from ingestion.services.worker_pool import get_worker_pool as pool;"
            f"print(json.dumps({expression}, default=str))"
        )
        return json.loads(self.managed("shell", "--verbosity", "0", "-c", code).splitlines()[-1])

    def start(self) -> None:
        """In the order of docker-compose.yml. Raises NoNamespace."""
        for number, name in enumerate((*WEB, *WORKERS), start=201):
            self.hosts[name] = Host(number)
            self._runs_file(self.hosts[name]).touch()
        self.prepare()
        for name in (*WEB, *WORKERS, "control", "beat"):
            if name != "control" or self.release.has_control:
                self.begin(name)
        self.await_health()

    def prepare(self) -> None:
        for words in self.release.prepare:
            self.managed(*words)

    def begin(self, name: str) -> None:
        """Start one of its programs with the release that is installed, or start it again."""
        host = self.hosts[HOST_OF[name]]
        program = self.programs.setdefault(
            name, Program(environment=self.environment(host), log=self.folder / f"{name}.log")
        )
        program.stop()
        words = (word.replace("{host}", name) for word in self._words(name))
        program.words = host.words(self.release.python, *words)
        program.project = self.release.folder
        program.start()

    def _words(self, name: str) -> Iterable[str]:
        if name in WEB:
            return self.release.web
        if name in WORKERS:
            return self.release.worker("sync", QUEUES["worker"])
        if name == "control":
            return self.release.worker("control", QUEUES["control"], "--concurrency", "2")
        return (*self.release.celery, "beat")

    def await_health(self) -> None:
        for name in WEB:
            wait_for(f"{name} is ready", lambda name=name: self.ask(name, "/health/ready") == 200)
        wait_for("both workers", lambda: len(self.workers_online()) == 2)

    def ask(self, host: str, path: str) -> int:
        """The status; 0 where nobody answers. A site is asked by its proxy, which says HTTPS."""
        found = self.hosts[host]
        request = urllib.request.Request(
            f"http://{found.address}:{PORT}{path}",
            headers={"Host": "warehouse.example.com", "X-Forwarded-Proto": "https"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def status(self) -> dict[str, Any]:
        done = self.manage("manage_worker_pool", "status", "--json")
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found

    def workers_online(self) -> list[str]:
        return sorted(w["name"] for w in self.status().get("workers", ()) if w["is_online"])

    # --- Load

    def submit(self, labels: Iterable[int], *, steps: int) -> dict[int, str]:
        """Task ids by label."""
        wanted = list(labels)
        options = [{"max_records": steps, "batch_size": label} for label in wanted]
        ids: list[str] = self.ask_django(
            f"[pool().submit_task('five9', 'contacts', found) for found in {options!r}]"
        )
        return dict(zip(wanted, ids, strict=True))

    def open_count(self) -> int:
        """How many tasks have not ended, as the ledger knows them."""
        found: int = self.ask_django("Runs.objects.filter(status__in=Runs.OPEN_STATUSES).count()")
        return found

    def await_end(self) -> None:
        """Until all tasks have ended."""
        wait_for("all tasks have ended", lambda: self.open_count() == 0, seconds=400)

    def outcomes(self) -> dict[str, str]:
        """The ledger's status of every task, by its id."""
        found: dict[str, str] = self.ask_django(
            "dict(Runs.objects.values_list('worker_pool_task_id', 'status'))"
        )
        return found

    def cut(self, name: str) -> None:
        """Nobody hears of what that host does from now on."""
        self._cut_at[name] = time.time()
        self.hosts[name].cut()

    def runs(self) -> dict[int, list[Run]]:
        """The runs of each label, as they wrote them down; one that was killed has no end, and is not
        among them. What a host did alone, after its cable was cut, carried nothing out."""
        found: dict[int, list[Run]] = defaultdict(list)
        for name, host in self.hosts.items():
            begun: dict[tuple[int, int], Run] = {}
            for line in map(json.loads, self._runs_file(host).read_text().splitlines()):
                key = (line["label"], line["pid"])
                if line["what"] == "start":
                    begun[key] = Run(line["at"])
                elif line["what"] == "whole":
                    begun[key].is_whole = line["at"] < self._cut_at.get(name, math.inf)
                elif run := begun.pop(key, None):
                    run.ended_at = line["at"]
                    found[line["label"]].append(run)
        return {label: sorted(runs, key=lambda run: run.begun_at) for label, runs in found.items()}

    def forget_runs(self, labels: Set[int]) -> None:
        """Those that have been until now."""
        for file in map(self._runs_file, self.hosts.values()):
            lines = file.read_text().splitlines(keepends=True)
            others = [line for line in lines if json.loads(line)["label"] not in labels]
            file.write_text("".join(others))

    def figures(self, tasks: Mapping[int, str]) -> Figures:
        """What became of the tasks."""
        outcomes, runs, found = self.outcomes(), self.runs(), Figures()
        for label, task_id in tasks.items():
            found.judge(label, outcomes.get(task_id), runs.get(label, []))
        return found

    # --- The end

    def stop_programs(self) -> None:
        """All of them, as an operator does it."""
        for program in self.programs.values():
            program.stop()

    def stop(self) -> None:
        for program in self.programs.values():
            program.kill()
        for host in self.hosts.values():
            with suppress(NoNamespace):
                host.remove()
        if self.rabbitmq:
            self.rabbitmq.remove()
        self.redis.stop()
        self.postgres.stop()
