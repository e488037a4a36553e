"""A whole site in production mode: two web hosts, two worker hosts, control and beat, real servers.

The programs and their order are those of ``docker-compose.yml``. The syncs are made up: each takes
its time and writes down when it ran.
"""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from data_warehouse.environment import BASE_DIR
from tests.deployment.hosts import Host, Program, wait_for
from tests.deployment.servers import PostgreSQL, RabbitMQ, RedisServer
from tests.production import production_environment

PORT = 8000
STEP_SECONDS, LEASE_SECONDS = 0.2, 12
QUEUES = {"worker": "dw-production", "control": "dw-control"}
CELERY = ("-m", "celery", "--quiet", "-A", "data_warehouse")


class Site:
    """Used once: make it, ``start``, and always ``stop``."""

    def __init__(self, folder: Path, *, project: Path = BASE_DIR, rabbitmq: bool = False) -> None:
        self.folder, self.project = folder, project
        self.runs_file = folder / "runs.jsonl"
        self.runs_file.touch()
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
        own = self.folder / host.namespace.name
        return production_environment(
            own,
            DJANGO_SETTINGS_MODULE="tests.settings_worker",
            SECRET_KEY=self._key,
            ALLOWED_HOSTS=f"warehouse.example.com,{host.address}",
            SITE_URL="https://warehouse.example.com",
            TRUSTED_PROXIES=host.gateway,
            DATABASE_URL=url,
            WAREHOUSE_URL=url,
            CACHE_URL=self.redis.url(1, host.gateway),
            CELERY_BROKER_URL=broker or self.redis.url(0, host.gateway),
            CELERY_CONTROL_QUEUE=QUEUES["control"],
            CELERY_WORKER_CONCURRENCY="4",
            MAX_SYNC_WORKERS="6",
            WORKER_POOL_MAX_ATTEMPTS="3",
            WORKER_POOL_LEASE_SECONDS=str(LEASE_SECONDS),
            WORKER_POOL_DISPATCH_SECONDS="4",
            WORKER_POOL_MONITOR_SECONDS="5",
            RUNS_FILE=str(self.runs_file),
            FAKE_STEP_SECONDS=str(STEP_SECONDS),
        )

    def manage(self, *words: str, host: str = "web1") -> subprocess.CompletedProcess[str]:
        """Whatever its exit code."""
        found = self.hosts[host]
        return subprocess.run(
            found.python("manage.py", *words),
            cwd=self.project,
            env=self.environment(found),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self) -> None:
        """In the order of docker-compose.yml. Raises NoNamespace."""
        for number, name in enumerate(("web1", "web2", "work1", "work2"), start=201):
            self.hosts[name] = Host(number)
        done = self.manage("deploy")
        assert done.returncode == 0, done.stdout + done.stderr
        for name in ("web1", "web2"):
            self._add(name, name, "-m", "data_warehouse.web", "--listen", f"0.0.0.0:{PORT}")
        for name in ("work1", "work2"):
            self._add(name, name, *self._worker("sync", QUEUES["worker"]))
        self._add("control", "web1", *self._worker("control", QUEUES["control"], "-c", "2"))
        self._add("beat", "web2", *CELERY, "beat")
        for program in self.programs.values():
            program.start()
        self.await_health()

    def _worker(self, name: str, queue: str, *options: str) -> Iterable[str]:
        # Each namespace has this machine's name, a real host its own.
        return (*CELERY, "worker", "--hostname", f"{name}@{{host}}", "--queues", queue, *options)

    def _add(self, name: str, host: str, *words: str) -> None:
        found = self.hosts[host]
        self.programs[name] = Program(
            name,
            found.python(*(word.replace("{host}", name) for word in words)),
            project=self.project,
            environment=self.environment(found),
            log=self.folder / f"{name}.log",
        )

    def await_health(self) -> None:
        for name in ("web1", "web2"):
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
        return [w["name"] for w in self.status().get("workers", ()) if w["is_online"]]

    # --- Load

    def submit(self, labels: Iterable[int], *, steps: int) -> dict[int, str]:
        """Task ids by label, all at once."""
        wanted = list(labels)
        file = self.folder / "tasks.jsonl"
        parameters = [{"max_records": steps, "batch_size": label} for label in wanted]
        file.write_text(
            "".join(
                json.dumps({"crm_source": "five9", "sync_type": "contacts", "parameters": each})
                + "\n"
                for each in parameters
            )
        )
        done = self.manage("manage_worker_pool", "submit", "--file", str(file))
        assert done.returncode == 0, done.stderr
        return dict(zip(wanted, done.stdout.split(), strict=True))

    def open_count(self) -> int:
        """How many tasks have not ended, as the ledger knows them."""
        code = (
            "from ingestion.models import SyncHistory as H;"
            "print(H.objects.filter(status__in=['queued', 'running']).count())"
        )
        done = self.manage("shell", "--verbosity", "0", "-c", code)
        return int(done.stdout.split()[-1]) if done.returncode == 0 else -1

    def outcomes(self) -> dict[str, str]:
        """The ledger's status of every task, by its id."""
        code = (
            "import json; from ingestion.models import SyncHistory as H;"
            "print(json.dumps({str(i): s for i, s in"
            " H.objects.values_list('worker_pool_task_id', 'status')}))"
        )
        done = self.manage("shell", "--verbosity", "0", "-c", code)
        found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return found

    def spans(self) -> dict[int, list[tuple[float, float]]]:
        """When each label ran, as its runs wrote it down; a run that was killed has no end."""
        begun: dict[tuple[int, int], float] = {}
        found: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for line in map(json.loads, self.runs_file.read_text().splitlines()):
            key = (line["label"], line["pid"])
            if line["what"] == "start":
                begun[key] = line["at"]
            elif key in begun:
                found[line["label"]].append((begun.pop(key), line["at"]))
        return {label: sorted(spans) for label, spans in found.items()}

    def faults(self, tasks: dict[int, str], *, steps: int) -> list[str]:
        """What was lost, ran twice at a time, or was carried out more than once."""
        return list(self._faults(tasks, steps * STEP_SECONDS))

    def _faults(self, tasks: dict[int, str], whole_seconds: float) -> Iterator[str]:
        outcomes, spans = self.outcomes(), self.spans()
        for label, task_id in tasks.items():
            if outcomes.get(task_id) != "success":
                yield f"{label}: the ledger says {outcomes.get(task_id, 'nothing')}"
            runs = spans.get(label, [])
            whole = [run for run in runs if run[1] - run[0] >= whole_seconds]
            if len(whole) != 1:
                yield f"{label}: carried out {len(whole)} times in {len(runs)} runs"
            if any(first[1] > second[0] for first, second in itertools.pairwise(runs)):
                yield f"{label}: ran twice at a time"

    # --- The end

    def stop(self) -> None:
        for program in self.programs.values():
            program.kill()
        for host in self.hosts.values():
            with suppress(Exception):
                host.remove()
        if self.rabbitmq:
            self.rabbitmq.stop()
        self.redis.stop()
        self.postgres.stop()
