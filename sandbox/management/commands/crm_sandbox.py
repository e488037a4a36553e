"""manage.py crm_sandbox: the CRMs with made-up data, to try the syncs without an account."""

from __future__ import annotations

import json
import signal
import threading
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion import settings_reader
from ingestion.sync.recording.bundle import BundleDamaged, read_bundle
from sandbox.errors import (
    FaultDoesNotApply,
    PortTaken,
    SandboxBusy,
    SandboxError,
    SandboxNotRunning,
    UnknownCrm,
    UnknownFault,
)
from sandbox.faults.kinds import ALWAYS, KINDS, Fault
from sandbox.serving import control
from sandbox.serving.registry import crm_names
from sandbox.serving.replay import ReplayServer
from sandbox.serving.server import SandboxServer

EXIT_CODES: dict[type[SandboxError], int] = {
    UnknownCrm: 2,
    FaultDoesNotApply: 2,
    SandboxNotRunning: 3,
    SandboxBusy: 4,
    PortTaken: 4,
}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be 1 or more")
    return number


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except UnknownFault as problem:
        raise ArgumentTypeError(str(problem)) from None


def _met(budget: dict[str, Any]) -> str:
    most = f"at most {budget['fullest']} of {budget['requests'] or 'any number of'} "
    what = f"{budget['counts'] or 'requests'} in {budget['window_seconds']:g} s"
    return f"{most}{what}, {budget['refused']} refused"


def _stopping() -> threading.Event:
    """Set when the process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


class Command(BaseCommand):
    help = "Serve the CRMs with made-up data, change it, or show where they are."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--tick", action="store_true", help="change the data once, then end")
        action.add_argument("--list", action="store_true", help="name the CRMs there are, then end")
        action.add_argument("--status", action="store_true", help="show what is running, then end")
        # Django itself has --settings, for another purpose.
        action.add_argument("--show-settings", action="store_true", help="print KEY=value lines")
        action.add_argument(
            "--replay", type=Path, metavar="FILE", help="play a recording of record_crm"
        )
        action.add_argument(
            "--no-faults", action="store_true", help="end all faults of the running sandbox"
        )
        parser.add_argument(
            "--fault",
            action="append",
            type=_fault,
            metavar="NAME[:TIMES][=CRM]",
            help="what goes wrong, here or in the running sandbox; TIMES is a number or "
            f"{ALWAYS}; may be repeated: "
            + "; ".join(f"{n}: {k.description}" for n, k in KINDS.items()),
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="machine output; while serving one line, once it answers: what --status reports",
        )
        parser.add_argument(
            "--crm", nargs="+", action="extend", metavar="NAME", help="only these CRMs"
        )
        parser.add_argument("--port", type=int, help="8100, or a free one where that is taken")
        parser.add_argument("--rows", type=_positive, help="records of a CRM's main model (200)")
        parser.add_argument("--seed", type=int, help="another seed, other data (1)")
        parser.add_argument("--data-dir", type=Path, help="the folder of state and databases")

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = options["data_dir"] or settings_reader.var_dir() / "sandbox"
        try:
            self._action(data_dir, options)(data_dir, options)
        except SandboxError as problem:
            raise CommandError(
                str(problem), returncode=EXIT_CODES.get(type(problem), 1)
            ) from problem
        except BundleDamaged as damage:
            raise CommandError(str(damage), returncode=2) from damage

    def _action(self, data_dir: Path, options: dict[str, Any]) -> Any:
        if options["list"]:
            return self._list
        if options["replay"]:
            return self._replay
        if options["tick"]:
            return self._tick
        if options["status"]:
            return self._status
        if options["no_faults"]:
            return self._end_faults
        if options["fault"] and control.is_running(data_dir):
            return self._set_faults
        return self._settings if options["show_settings"] else self._serve

    def _list(self, data_dir: Path, options: dict[str, Any]) -> None:
        names = crm_names()
        self.stdout.write(json.dumps({"crms": names}) if options["as_json"] else "\n".join(names))

    def _set_faults(self, data_dir: Path, options: dict[str, Any]) -> None:
        found = control.set_faults(data_dir, options["fault"])
        self._write_faults(found, options)

    def _end_faults(self, data_dir: Path, options: dict[str, Any]) -> None:
        self._write_faults(control.set_faults(data_dir, ()), options)

    def _write_faults(self, found: list[str], options: dict[str, Any]) -> None:
        if options["as_json"]:
            return self.stdout.write(json.dumps({"faults": found}))
        self.stdout.write(f"The running sandbox has faults: {', '.join(found) or 'none'}.")

    def _tick(self, data_dir: Path, options: dict[str, Any]) -> None:
        crms = tuple(options["crm"]) if options["crm"] else None
        changes = control.tick(data_dir, crms)
        if options["as_json"]:
            return self.stdout.write(json.dumps({"changes": changes}))
        for name, counts in changes.items():
            self.stdout.write(f"{name}: " + ", ".join(f"{n} {what}" for what, n in counts.items()))

    def _status(self, data_dir: Path, options: dict[str, Any]) -> None:
        now = control.status(data_dir)
        if options["as_json"]:
            return self.stdout.write(json.dumps(now))
        where = f"running on {now['url']} (pid {now['pid']})" if now["running"] else "not running"
        self.stdout.write(f"CRM sandbox: {where}")
        self.stdout.write(f"seed {now['seed']}, {now['rows']} rows, {len(now['ticks'])} ticks")
        if now["faults"]:
            self.stdout.write(f"faults: {', '.join(now['faults'])}")
        for name, crm in now["crms"].items():
            self.stdout.write(f"  {name}: {sum(crm['counts'].values())} records")
            for budget in crm["budgets"]:
                self.stdout.write(f"    {_met(budget)}")

    def _settings(self, data_dir: Path, options: dict[str, Any]) -> None:
        found = control.settings(data_dir)
        if options["as_json"]:
            return self.stdout.write(json.dumps(found))
        self._write_settings(found)

    def _write_settings(self, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            self.stdout.write(f"{name}={value}")

    def _replay(self, data_dir: Path, options: dict[str, Any]) -> None:
        bundle, stop = read_bundle(options["replay"]), _stopping()
        faults = tuple(options["fault"] or ())
        where = {"port": options["port"], "faults": faults, "tell": self.stderr.write}
        with ReplayServer(bundle, data_dir, **where) as replay:
            if options["as_json"]:
                self.stdout.write(json.dumps(replay.to_json()))
            else:
                self._announce_replay(replay)
            self.stdout.flush()
            stop.wait()

    def _announce_replay(self, replay: ReplayServer) -> None:
        bundle = replay.bundle
        self.stdout.write(
            f"Recording of {bundle.crm}.{bundle.model}, {bundle.recorded_at}: {bundle.outcome},"
            f" answers: {len(bundle.exchanges)}, on {replay.server.url}"
        )
        self.stdout.write("\nSettings that point the sync here:")
        self._write_settings(replay.settings)
        self.stdout.write(
            f"\nThe sync, with these settings and an empty warehouse:\n{replay.command}"
        )
        self.stdout.write("\nCtrl-C stops it. Another run needs it started again.", ending="\n")

    def _serve(self, data_dir: Path, options: dict[str, Any]) -> None:
        stop = _stopping()
        with SandboxServer(
            data_dir,
            seed=options["seed"],
            rows=options["rows"],
            names=tuple(options["crm"]) if options["crm"] else None,
            port=options["port"],
            faults=tuple(options["fault"] or ()),
        ) as server:
            if options["as_json"]:
                self.stdout.write(json.dumps(control.status(data_dir)))
            else:
                self._announce(server)
            self.stdout.flush()
            stop.wait()

    def _announce(self, server: SandboxServer) -> None:
        state = server.state
        self.stdout.write(
            f"CRM sandbox on {server.url}: seed {state.seed}, {state.rows} rows, "
            f"{len(state.ticks)} ticks"
        )
        for name, url in server.urls.items():
            self.stdout.write(f"  {name}: {url or 'a database, see its settings'}")
        for fault in server.faults.in_force:
            self.stdout.write(f"  fault: {fault}")
        self.stdout.write("\nSettings that point the syncs here:")
        self._write_settings(server.settings)
        self.stdout.write(
            "\nCtrl-C stops it; manage.py crm_sandbox --tick changes the data.", ending="\n"
        )
