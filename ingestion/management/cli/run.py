"""Carries out a parsed sub-command and ends it with its exit code."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError

from ingestion.management.cli.cli import Cli, Verb, actor
from ingestion.management.cli.failures import EXPLAINED, Exit, Failure, explain
from ingestion.management.cli.output import Output
from ingestion.services.security.audit import acting
from ingestion.services.worker_pool import get_worker_pool


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """From the shell a failure exits with its code; from Python it raises CommandError with the
    code as its ``returncode``. Ctrl-C in Python stays KeyboardInterrupt."""
    out = _output(command, options)
    method: Verb = options["method"]
    try:
        with acting(actor()):
            method(Cli(get_worker_pool(), out, actor(), _from_shell(command)), options)
    except EXPLAINED as problem:
        _fail(command, out, explain(problem), problem, traceback=options["traceback"])
    except KeyboardInterrupt:
        if not _from_shell(command):
            raise
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        _leave_closed_pipe()


def _output(command: BaseCommand, options: dict[str, Any]) -> Output:
    """Django's wrappers end every write with a line feed; a redrawn line has none."""
    command.stdout.ending = command.stderr.ending = ""
    command.stderr.style_func = None
    return Output(
        cast("TextIO", command.stdout),
        cast("TextIO", command.stderr),
        as_json=options["as_json"],
        no_color=options["no_color"],
        force_color=options["force_color"],
    )


def _fail(
    command: BaseCommand, out: Output, failure: Failure, problem: Exception, *, traceback: bool
) -> None:
    if traceback or not _from_shell(command):
        raise CommandError(failure.message, returncode=failure.exit) from problem
    out.fail(failure)
    sys.exit(failure.exit)


def _from_shell(command: BaseCommand) -> bool:
    return bool(getattr(command, "_called_from_command_line", False))


def _leave_closed_pipe() -> None:
    """Whoever read us has gone (``monitor | head``): nothing more may be written, not even by the
    interpreter's last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(Exit.PIPE_CLOSED)
