"""The whole system, from its checks to its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from django.core.management import call_command
from django.db import connection

from ingestion import private_files, runfile
from ingestion.installation_conf import SystemConf
from ingestion.runfile import ProcessMark, RunFile
from ingestion.services.failover import installation
from ingestion.services.system import crms, embedded_redis, plan, problems
from ingestion.services.system.leftovers import stop_leftovers
from ingestion.services.system.lock import take_lock
from ingestion.services.system.login import Login, ensure_login, ensure_secret
from ingestion.services.system.ports import HOST, listen
from ingestion.services.system.processes import POLL_SECONDS, Supervisor
from ingestion.services.system.readiness import beat_has_set_up, missing_parts, web_answer

T = TypeVar("T")

READY_SECONDS = 180.0
SANDBOX_SECONDS = 900.0  # a big one takes its time to draw its data


class NotReadyInTime(Exception):
    """The programs run, but the system does not become ready."""


class StopRequested(Exception):
    """The operator wants the system to end while it still starts."""


@dataclass
class StopRequest:
    """How often the operator has asked to stop: once in order, twice at once."""

    count: int = 0

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def is_urgent(self) -> bool:
        return self.count > 1


@dataclass(frozen=True)
class Options:
    """``port`` None: the usual one or the next free. ``rows`` None: the sandbox's usual size."""

    port: int | None = None
    sandbox: bool = True
    rows: int | None = None


@dataclass(frozen=True)
class Started:
    """What an operator is told once the system is ready."""

    url: str
    login: Login
    sandboxed: tuple[str, ...]


@dataclass
class RunningSystem:
    """Used once: ``start``, then ``watch`` until it is to stop, then always ``stop``."""

    conf: SystemConf
    options: Options
    say: Callable[[str], None]
    wish: StopRequest
    _file: RunFile = field(init=False)
    _resources: ExitStack = field(init=False, default_factory=ExitStack)

    def __post_init__(self) -> None:
        started_at = datetime.now(UTC).isoformat()
        self._file = RunFile(ProcessMark.of(os.getpid()), started_at)
        self._supervisor = Supervisor(
            self.conf.log_dir, say=self.say, on_change=self._write_run_file
        )

    def start(self) -> Started:
        """Raises RunsAlready, WrongSettings, PortTaken, NoRedisServer, StartFailed,
        NotReadyInTime, StopRequested."""
        lock = take_lock(self.conf.var_dir)
        self._resources.callback(os.close, lock)
        self._end_leftovers()
        problems.check(self.conf)
        self._listener = self._resources.enter_context(listen(self.options.port))
        self._warn_of_unknown_names()
        self._start_guard(lock)
        self._set_settings(self._start_redis())
        sandboxed = self._start_sandbox()
        login = self._prepare_ledger()
        url = self._start_programs()
        self._set_state("ready")
        return Started(url, login, sandboxed)

    def watch(self) -> None:
        """Keep everything running until the operator wants it to stop."""
        while not self.wish:
            self._supervisor.keep_running()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End everything, in order; leaves no process and no run file."""
        if self._supervisor.records:
            self._set_state("stopping")
            self._listener.close()
        for name in self._supervisor.stop_all(lambda: self.wish.is_urgent):
            if name == "worker":
                self.say(
                    "running syncs are stopped and queued again, within "
                    f"{self.conf.worker_shutdown_seconds:.0f} s; Ctrl-C again cuts that short"
                )
        if self._owns_run_file():
            runfile.remove(self.conf.var_dir)
        self._resources.close()

    # --- The steps of a start

    def _end_leftovers(self) -> None:
        left = runfile.read(self.conf.var_dir)
        if left and (ended := stop_leftovers(left.processes)):
            self.say(f"ended what an earlier run left behind: {', '.join(ended)}")

    def _warn_of_unknown_names(self) -> None:
        for warning in problems.unknown_names(self.conf):
            self.say(warning)

    def _start_guard(self, lock: int) -> None:
        reading, writing = os.pipe()
        self._resources.callback(os.close, reading)
        self._resources.callback(os.close, writing)
        self._supervisor.start(plan.guard(self.conf, pipe=reading, lock=lock))

    def _start_redis(self) -> dict[str, str]:
        """The settings that lead to it; none where the operator has servers of their own."""
        if not problems.needs_embedded_redis(self.conf):
            return {}
        port = embedded_redis.free_port()
        password = ensure_secret(self.conf.var_dir / "redis-password")
        self._supervisor.start(plan.redis(self.conf, port=port, password=password))
        self._wait(lambda: embedded_redis.answers(port, password), "redis does not answer")
        base = f"redis://:{password}@{HOST}:{port}"
        return {"CACHE_URL": f"{base}/1", "CELERY_BROKER_URL": f"{base}/0"}

    def _start_sandbox(self) -> tuple[str, ...]:
        """The CRMs that it serves."""
        if not self.options.sandbox:
            return ()
        if not crms.has_sandbox():
            self.say(crms.NO_SANDBOX)
            return ()
        names = crms.sandboxed_crms(self.conf)
        if names:
            self.say(f"making the sandbox: {', '.join(names)}")
            self._set_settings(crms.without_operators(self._serve_sandbox(names), self.conf))
        return names

    def _serve_sandbox(self, names: tuple[str, ...]) -> dict[str, str]:
        """The settings that lead to it."""
        port = embedded_redis.free_port()
        output = self._supervisor.start(
            plan.sandbox(self.conf, crms=names, port=port, rows=self.options.rows)
        )
        status = self._wait(
            lambda: output.printed_object("settings"), "sandbox does not answer", SANDBOX_SECONDS
        )
        settings: dict[str, str] = status["settings"]
        return settings

    def _prepare_ledger(self) -> Login:
        self.say("preparing the database")
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        if self.conf.is_production:
            call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
        elif not self.conf.configured("SECRET_KEY"):
            self._set_settings({"SECRET_KEY": ensure_secret(self.conf.var_dir / "secret-key")})
        if problems.needs_embedded_redis(self.conf):
            self._keep_redis()
        return ensure_login(self.conf.var_dir)

    def _keep_redis(self) -> None:
        """The embedded server is this clone's alone, whatever became of its database meanwhile."""
        note = plan.redis_dir(self.conf) / "installation"
        installation.agree()
        here = installation.known()
        if note.exists() and note.read_text() != here:
            command = plan.manage("manage_worker_pool", "take-over", "--yes")
            subprocess.run(command, cwd=self.conf.base_dir, check=True, capture_output=True)
        private_files.make_file(note)
        note.write_text(here)

    def _start_programs(self) -> str:
        """Worker, beat and web; gives the URL once they all answer."""
        url = f"http://{HOST}:{self._listener.getsockname()[1]}/"
        self._file = replace(self._file, url=url)
        begin = datetime.now(UTC)
        self.say("starting worker, beat and web")
        self._supervisor.start(plan.worker(self.conf))
        self._supervisor.start(plan.beat(self.conf))
        self._supervisor.start(plan.web(self.conf, descriptor=self._listener.fileno()))
        # This process holds no connection from now on: whoever watches must not lock the ledger.
        self._wait(lambda: beat_has_set_up(begin), "beat has not written its schedule")
        connection.close()
        self._wait_for_web(url)
        return url

    def _wait_for_web(self, url: str) -> None:
        try:
            self._wait(lambda: not missing_parts(web_answer(url)), "")
        except NotReadyInTime:
            raise NotReadyInTime("; ".join(missing_parts(web_answer(url)))) from None

    # --- Waiting, and the run file

    def _wait(
        self, answer: Callable[[], T | None], otherwise: str, seconds: float = READY_SECONDS
    ) -> T:
        """The first answer that is not empty. Raises NotReadyInTime with ``otherwise``."""
        deadline = time.monotonic() + seconds
        while not (found := answer()):
            if self.wish:
                raise StopRequested
            self._supervisor.check_start()
            if time.monotonic() > deadline:
                raise NotReadyInTime(otherwise)
            time.sleep(POLL_SECONDS)
        return found

    def _set_settings(self, settings: dict[str, str]) -> None:
        self._file = replace(self._file, settings={**self._file.settings, **settings})
        self._write_run_file()

    def _set_state(self, state: str) -> None:
        self._file = replace(self._file, state=state)
        self._write_run_file()

    def _write_run_file(self) -> None:
        self._file = replace(self._file, processes=self._supervisor.records)
        runfile.write(self.conf.var_dir, self._file)

    def _owns_run_file(self) -> bool:
        found = runfile.read(self.conf.var_dir)
        return found is not None and found.main == self._file.main
