"""The command behind every ``sync_<crm>_<type>``; the files in ``commands/`` only name the two."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from types import FrameType
from typing import Any, NoReturn

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.management.sync_output import command_reporter, print_summary
from ingestion.services.requests.parameters import moment_of
from ingestion.services.runs import runner
from ingestion.services.runs.runner import RunHandle, run_sync
from ingestion.services.security.secrets import mask_error
from ingestion.sync.common.errors import SyncCancelled, SyncError, SyncStopped
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import Mode, SyncOptions, SyncResult

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
LARGEST_BATCH = 10_000
ArgumentGroup = argparse._ArgumentGroup  # what add_argument_group gives has no public name


class SyncCommand(BaseCommand):
    """``call_command(name, run=handle)`` runs it for a caller that has a RunHandle: it prints
    nothing then, and errors leave as they are."""

    crm_source: str
    sync_type: str
    stealth_options = ("run",)
    # Settings and files. The others load every page and the API, which takes as long as a sync.
    requires_system_checks = ("worker_pool", Tags.files)

    @property
    def help(self) -> str:  # type: ignore[override]
        return f"Load {crm(self.crm_source).title} {self.sync_type} into the warehouse."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_argument_group("what to read (default: what is new since the last run)")
        what.add_argument("--full", action="store_true", help="everything; marks what has gone")
        what.add_argument("--force7", action="store_true", help="the last seven days again")
        what.add_argument("--since", type=_start, metavar="D", help="the same as --start-date")
        add_bounds(what)
        how = parser.add_argument_group("how to run")
        how.add_argument("--force", action="store_true", help="rewrite rows that did not change")
        add_batch_size(how)
        how.add_argument("--dry-run", action="store_true", help="read and count, write nothing")
        show = parser.add_argument_group("what to show")
        show.add_argument("--json", action="store_true", help="print the result as JSON")
        show.add_argument("--quiet", action="store_true", help="print errors only")
        show.add_argument("--no-progress", action="store_true", help="show no progress")

    def prepare(self) -> None:
        """Import what ``handle`` will. Raises SyncError."""
        runner.prepare(self.crm_source)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = sync_options(options)
        run: RunHandle | None = options.get("run")
        if run is not None:
            run_sync(self.crm_source, self.sync_type, wanted, run)
            return
        self._run_from_shell(wanted, options)

    def _run_from_shell(self, wanted: SyncOptions, options: dict[str, Any]) -> None:
        is_silent = options["json"] or options["quiet"] or options["no_progress"]
        with _sigterm_stops(), command_reporter(self.crm_source, silent=is_silent) as reporter:
            handle = RunHandle(reporter)
            problem = self._problem_of(wanted, handle)
        if options["json"]:
            self._print_json(handle.result, problem)
        elif handle.result and not options["quiet"]:
            print_summary(handle.result, is_dry=wanted.dry_run)
        if problem is not None:
            raise problem

    def _problem_of(self, wanted: SyncOptions, handle: RunHandle) -> CommandError | None:
        try:
            run_sync(self.crm_source, self.sync_type, wanted, handle)
        except SyncError as failure:
            return CommandError(_one_line(failure), returncode=FAILED)
        except (SyncStopped, KeyboardInterrupt) as stop:
            message = _one_line(stop) or "Interrupted; nothing half-loaded stays behind."
            return CommandError(message, returncode=INTERRUPTED)
        return None

    def _print_json(self, result: SyncResult | None, problem: CommandError | None) -> None:
        shown: dict[str, Any] = result.to_dict() if result else {}
        if problem is not None:
            code = "INTERRUPTED" if problem.returncode == INTERRUPTED else "FAILED"
            shown["status"] = "cancelled" if problem.returncode == INTERRUPTED else "failed"
            shown["error"] = {"code": code, "message": str(problem)}
        self.stdout.write(json.dumps(shown, indent=2 if sys.stdout.isatty() else None))


def add_bounds(group: ArgumentGroup) -> None:
    """How much of what there is."""
    group.add_argument("--start-date", type=_start, metavar="D", help="from this day or time on")
    group.add_argument("--end-date", type=_end, metavar="D", help="up to this day or time")
    group.add_argument("--max-records", type=_positive, metavar="N", help="at most N records")


def add_batch_size(group: ArgumentGroup) -> None:
    group.add_argument(
        "--batch-size", type=_batch_size, metavar="N", help=f"records per page, 1-{LARGEST_BATCH}"
    )


def sync_options(options: dict[str, Any]) -> SyncOptions:
    """The options of a run. Raises CommandError with exit code 2 for contradictions."""
    starts = [name for name in ("start_date", "since") if options[name]]
    if len(starts) == 2:
        _refuse("--since is another name for --start-date: give one of them.")
    start, end = options["start_date"] or options["since"], options["end_date"]
    modes = [name for name in ("full", "force7") if options[name]]
    dates = [name for name in ("start_date", "since", "end_date") if options[name]]
    if len(modes) == 2 or (modes and dates):
        both = " and ".join(f"--{name.replace('_', '-')}" for name in [*modes, *dates])
        _refuse(f"{both} contradict each other: give one of them.")
    if start and end and end < start:
        _refuse("--end-date is before --start-date.")
    mode: Mode = modes[0] if modes else "delta"  # type: ignore[assignment]
    return SyncOptions(
        mode=mode,
        force=options["force"],
        start_date=start,
        end_date=end,
        max_records=options["max_records"],
        batch_size=options["batch_size"],
        dry_run=options["dry_run"],
    )


def _refuse(message: str) -> NoReturn:
    raise CommandError(message, returncode=WRONG_USE)


def _start(text: str) -> datetime:
    return _moment(text, time.min)


def _end(text: str) -> datetime:
    """A day counts to its end."""
    return _moment(text, time.max)


def _moment(text: str, time_of_day: time) -> datetime:
    try:
        return moment_of(text, time_of_day)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a date such as 2026-01-31 or a time such as 2026-01-31T06:00:00Z"
        ) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def _batch_size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_BATCH:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a whole number from 1 to {LARGEST_BATCH}"
        )
    return int(text)


def _one_line(problem: BaseException) -> str:
    return mask_error(" ".join(str(problem).split()))


@contextmanager
def _sigterm_stops() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does, so that its SyncHistory row is closed."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SyncCancelled("The process was asked to end; nothing half-loaded stays behind.")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
