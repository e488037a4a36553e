"""The programs of the system: how each is started and how each is stopped."""

from __future__ import annotations

import hashlib
import signal
import sys
from pathlib import Path

from ingestion.installation_conf import SystemConf
from ingestion.models import PoolSetting
from ingestion.services.system import embedded_redis
from ingestion.services.system.processes import Program
from ingestion.services.tasks import limits

# Beyond what the worker itself gives its syncs to stop.
WORKER_EXTRA_SECONDS = 5.0
# Beside the syncs, a worker has the monitor and the nightly tasks to run.
SPARE_PROCESSES = 2
SANDBOX_COMMAND = "crm_sandbox"

_PYTHON = sys.executable


def guard(conf: SystemConf, *, pipe: int, lock: int) -> Program:
    """It holds the lock too, and ends when the pipe does; see ``guard.py``."""
    return Program(
        "guard",
        (_PYTHON, "-m", "ingestion.services.system.guard", str(conf.var_dir)),
        cwd=conf.base_dir,
        stdin=pipe,
        pass_fds=(lock,),
    )


def redis(conf: SystemConf, *, port: int, password: str) -> Program:
    """Durable: queued tasks survive a restart of everything. Its warnings are about tuning the
    kernel. Raises NoRedisServer."""
    command = embedded_redis.command(redis_dir(conf), port=port, password=password)
    return Program("redis", command, cwd=conf.base_dir, may_hurry=False, is_heard=False)


def redis_dir(conf: SystemConf) -> Path:
    return conf.var_dir / "redis"


def sandbox(conf: SystemConf, *, crms: tuple[str, ...], port: int, rows: int | None) -> Program:
    """It prints what ``--status --json`` reports, on one line, once it answers."""
    wanted = ("--rows", str(rows)) if rows else ()
    command = manage(SANDBOX_COMMAND, "--json", "--port", str(port), *wanted, "--crm", *crms)
    return Program("sandbox", command, cwd=conf.base_dir)


def web(conf: SystemConf, *, descriptor: int) -> Program:
    """``descriptor``: the listening socket."""
    command = (_PYTHON, "-m", "data_warehouse.web", "--fd", str(descriptor))
    return Program("web", command, cwd=conf.base_dir, pass_fds=(descriptor,))


def worker(conf: SystemConf) -> Program:
    """Asked to end, it stops its syncs between two pages and queues them again.

    One worker: gossip and mingle, which compare notes with others, only delay its start.
    """
    command = (
        *_celery("worker", "--hostname", worker_name(conf), "--loglevel", conf.log_level),
        *("--concurrency", str(concurrency(conf)), "--without-gossip", "--without-mingle"),
    )
    warm_seconds = conf.worker_shutdown_seconds + WORKER_EXTRA_SECONDS
    steps = ((signal.SIGTERM, warm_seconds), (signal.SIGQUIT, WORKER_EXTRA_SECONDS))
    return Program("worker", command, cwd=conf.base_dir, stop_steps=steps)


def worker_name(conf: SystemConf) -> str:
    """The same after a restart, another one in another clone that uses the same broker."""
    place = hashlib.sha256(str(conf.var_dir).encode()).hexdigest()[:6]
    return f"up-{place}@%h"


def concurrency(conf: SystemConf) -> int:
    """Processes of the worker. The pool hands out no more syncs than its limit, so whatever is
    above the limit stays free for the monitor; a prefork child costs some 30 MB of its own and
    no time, since it is a copy of a parent that has imported everything."""
    kept = PoolSetting.objects.filter(name=limits.NAME).first()
    limit = int(kept.value) if kept else conf.max_workers
    return max(conf.worker_concurrency, limit + SPARE_PROCESSES)


def beat(conf: SystemConf) -> Program:
    return Program("beat", _celery("beat", "--loglevel", conf.log_level), cwd=conf.base_dir)


def _celery(*arguments: str) -> tuple[str, ...]:
    return (_PYTHON, "-m", "celery", "--quiet", "-A", "data_warehouse", *arguments)


def manage(*arguments: str) -> tuple[str, ...]:
    return (_PYTHON, "manage.py", *arguments)
