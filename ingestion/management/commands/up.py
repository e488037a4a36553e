"""manage.py up: the whole system with one command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.installation_conf import SystemConf, system_conf
from ingestion.services.system import crms, plan
from ingestion.services.system.embedded_redis import NoRedisServer
from ingestion.services.system.first_load import is_new
from ingestion.services.system.lock import RunsAlready
from ingestion.services.system.login import Login
from ingestion.services.system.ports import USUAL_PORT, PortTaken
from ingestion.services.system.problems import WrongSettings
from ingestion.services.system.processes import StartFailed
from ingestion.services.system.running import (
    NotReadyInTime,
    Options,
    RunningSystem,
    Started,
    StopRequest,
    StopRequested,
)
from ingestion.services.system.status import system_status

EXIT_CODES: dict[type[Exception], int] = {
    StartFailed: 1,
    NotReadyInTime: 1,
    WrongSettings: 2,
    RunsAlready: 4,
    PortTaken: 4,
    NoRedisServer: 5,
    StopRequested: 130,
}
NOT_READY, NOT_RUNNING = 1, 3
FIRST_CRM = "hubspot"
NAMED_CRMS = 3


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ArgumentTypeError("must be from 1 to 65535")
    return number


def _rows(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be 1 or more")
    return number


class Command(BaseCommand):
    help = (
        "Start the whole system: Redis where none is configured, web, worker, beat, and a sandbox "
        "for the CRMs without credentials. Ctrl-C stops it."
    )
    requires_system_checks: list[str] = []  # they look at a running system

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=_port, help=f"of the web server ({USUAL_PORT}, or the next free one)"
        )
        parser.add_argument("--no-sandbox", action="store_true", help="no CRMs with made-up data")
        parser.add_argument("--rows", type=_rows, help="records of each sandboxed CRM's main model")
        parser.add_argument("--empty", action="store_true", help="load nothing by itself")
        parser.add_argument("--quiet", action="store_true", help="print URL and login alone")
        parser.add_argument("--status", action="store_true", help="say what runs here, then end")
        parser.add_argument("--json", action="store_true", dest="as_json", help="with --status")

    def handle(self, *args: Any, **options: Any) -> None:
        self._quiet: bool = options["quiet"]
        self._is_empty: bool = options["empty"]
        if options["status"]:
            return self._status(as_json=options["as_json"])
        if options["as_json"]:
            raise CommandError("--json goes with --status.", returncode=2)
        self._run(
            Options(port=options["port"], sandbox=not options["no_sandbox"], rows=options["rows"])
        )

    # --- up

    def _run(self, options: Options) -> None:
        conf = system_conf()
        wish = _stop_request_by_signals()
        system = RunningSystem(conf, options, self._say, wish)
        try:
            started = system.start()
            self._welcome(started, conf)
            with self._first_syncs(started, conf):
                system.watch()
        except tuple(EXIT_CODES) as problem:
            raise CommandError(
                str(problem) or "Stopped before it was ready.", returncode=EXIT_CODES[type(problem)]
            ) from problem
        finally:
            if wish:
                self._say("stopping")
            system.stop()
        self._say("stopped")

    @contextmanager
    def _first_syncs(self, started: Started, conf: SystemConf) -> Iterator[None]:
        """In a new warehouse the sandboxed CRMs are loaded by themselves, and the operator's own
        after a yes; without a terminal nobody can say it. Ends with the system."""
        wanted = [] if self._is_empty else self._wanted(started, conf)
        if not wanted:
            yield
            return
        silent = subprocess.DEVNULL if self._quiet else None
        loading = subprocess.Popen(
            plan.manage("load_schedules", "--first", *wanted),
            cwd=conf.base_dir,
            stdout=silent,
            start_new_session=True,  # a Ctrl-C in the terminal is for ``up`` alone
        )
        try:
            yield
        finally:
            loading.terminate()
            loading.wait()

    def _wanted(self, started: Started, conf: SystemConf) -> list[str]:
        own = [found.name for found in crms.operators_crms(conf)]
        if not own or not is_new():
            return list(started.sandboxed)
        if not sys.stdin.isatty():
            self._say(f"not loaded by itself, because it has credentials: {', '.join(own)}")
            return list(started.sandboxed)
        answer = input(f"Load {', '.join(own)} with your credentials now? [y/N] ")
        return [*(own if answer.strip().lower() in ("y", "yes") else ()), *started.sandboxed]

    def _say(self, line: str) -> None:
        if not self._quiet:
            self.stderr.write(line, self.style.NOTICE if " | " in line else lambda text: text)
            self.stderr.flush()

    def _welcome(self, started: Started, conf: SystemConf) -> None:
        lines = [
            "",
            f"The warehouse is ready   {started.url}",
            *(f"  {name:<9} {text}" for name, text in _facts(started, conf)),
            "Press Ctrl-C to stop everything.",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    # --- up --status

    def _status(self, *, as_json: bool) -> None:
        status = system_status(system_conf().var_dir)
        self.stdout.write(json.dumps(status, indent=2) if as_json else "\n".join(_lines(status)))
        if not status["ready"]:
            sys.exit(NOT_RUNNING if status["state"] == "stopped" else NOT_READY)


def _stop_request_by_signals() -> StopRequest:
    wish = StopRequest()

    def ask(_number: int, _frame: object) -> None:
        wish.count += 1

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, ask)
    return wish


def _facts(started: Started, conf: SystemConf) -> list[tuple[str, str]]:
    facts = [("login", _login(started.login, conf))]
    if started.sandboxed:
        facts.append(("sandbox", _sandbox(started.sandboxed)))
    facts.append(("logs", f"{_short(conf.log_dir, conf)}/"))
    played = started.sandboxed
    crm = played[0] if played and FIRST_CRM not in played else FIRST_CRM
    facts.append(("next", f"{_python(conf)} manage.py manage_worker_pool submit {crm} all --wait"))
    return facts


def _sandbox(crms: tuple[str, ...]) -> str:
    which = ", ".join(crms) if len(crms) <= NAMED_CRMS else f"{len(crms)} CRMs"
    return f"{which} with made-up data, until .env has credentials"


def _login(login: Login, conf: SystemConf) -> str:
    if login.path is None:
        return "your own administrator"
    where = _short(login.path, conf)
    if not login.is_new:
        return f"{login.user}, password in {where}"
    return f"{login.user} / {login.password}   (kept in {where}, not shown again)"


def _short(path: Path, conf: SystemConf) -> str:
    """Seen from the project's folder, where it lies in it."""
    return str(path.relative_to(conf.base_dir) if path.is_relative_to(conf.base_dir) else path)


def _python(conf: SystemConf) -> str:
    return _short(Path(sys.prefix) / "bin" / "python", conf)


def _lines(status: dict[str, Any]) -> list[str]:
    head = f"{status['state']}   {status['url'] or ''}".rstrip()
    rows = [
        f"  {p['name']:<9} {'running' if p['running'] else 'down':<8} pid {p['pid']}"
        + (f", restarted {p['restarts']}x" if p["restarts"] else "")
        for p in status["processes"]
    ]
    return [head, *rows, *(f"  ! {problem}" for problem in status["missing"])]
