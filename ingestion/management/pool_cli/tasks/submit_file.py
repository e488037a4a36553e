"""``submit --file``: many submissions, a JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.progress import Progress

from ingestion.deprecated_names import with_old_keys
from ingestion.management.cli.cli import COMMAND, Cli, Options
from ingestion.management.cli.failures import NotCompleted, WrongUse
from ingestion.pool.errors import InvalidParameters, InvalidSubmission, UnknownSyncType
from ingestion.services.requests.parameters import command_flags
from ingestion.services.requests.routing import resolve
from ingestion.services.requests.submission import Submission, Submitted
from ingestion.services.tasks.submissions import Refused

STDIN = "-"
# Who asks is whoever runs the command.
FIELDS = {field.name for field in fields(Submission)} - {"requested_by"}
MOST_TOLD = 10


def submit_file(cli: Cli, options: Options) -> None:
    """Print the tasks' IDs, in the order of the lines. Raises WrongUse for a line that cannot be
    read, and NotCompleted where some were refused; the others are submitted then."""
    asked = list(_read(options["file"], actor=cli.actor, reason=options["reason"]))
    if not asked:
        raise WrongUse(f"{options['file']} has no lines.")
    if fallbacks := list(_fallbacks(asked)):
        tell_fallbacks(cli, options, *fallbacks)
    with _progress(cli, of=len(asked)) as told:
        found = cli.pool.submit_many(asked, told=told)
    _show(cli, found)
    if refused := [(n, one) for n, one in enumerate(found, start=1) if isinstance(one, Refused)]:
        reasons = " ".join(f"{n}: {one.error}" for n, one in refused[:MOST_TOLD])
        raise NotCompleted(f"{len(refused)} of {len(found)} were refused. {reasons}")


def tell_fallbacks(cli: Cli, options: Options, *sentences: str) -> None:
    """Raises UnknownSyncType under --strict."""
    told = " ".join(sentences[:MOST_TOLD])
    if options["strict"]:
        raise UnknownSyncType(f"{told} With --strict nothing was submitted.")
    cli.out.talk(told, style="yellow")


def _fallbacks(asked: Iterable[Submission]) -> Iterator[str]:
    """Of each line whose type its CRM does not have; of wrong lines the pool says more."""
    for number, one in enumerate(asked, start=1):
        with suppress(InvalidSubmission):
            if sentence := resolve(one.crm_source, one.sync_type).fallback_sentence:
                yield f"Line {number}: {sentence}"


def _read(name: str, *, actor: str, reason: str) -> Iterator[Submission]:
    for number, line in enumerate(_lines(name), start=1):
        if line.strip():
            try:
                yield _submission(line, actor=actor, reason=reason)
            except (TypeError, ValueError) as problem:
                raise WrongUse(
                    f"Line {number} of {name}: {problem} Nothing was submitted."
                ) from None


def _lines(name: str) -> Iterable[str]:
    if name == STDIN:
        return sys.stdin
    try:
        return Path(name).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise WrongUse(f"{name} cannot be read: {problem}") from problem


def _submission(line: str, *, actor: str, reason: str) -> Submission:
    """Raises ValueError, TypeError with a sentence."""
    try:
        told: Any = json.loads(line)
    except json.JSONDecodeError as problem:
        raise ValueError(f"This is no JSON ({problem}).") from problem
    if not isinstance(told, dict) or not isinstance(told.get("crm_source"), str):
        raise TypeError(
            'It must be an object such as {"crm_source": "hubspot", "sync_type": "all"}.'
        )
    if unknown := sorted(told.keys() - FIELDS):
        raise ValueError(f"Unknown: {', '.join(unknown)}; known: {', '.join(sorted(FIELDS))}.")
    if isinstance(told.get("not_before"), str):
        told["not_before"] = datetime.fromisoformat(told["not_before"])
    try:
        command_flags(told.get("parameters") or {})
    except InvalidParameters as problem:
        raise ValueError(str(problem)) from problem
    return Submission(**{"reason": reason, **told}, requested_by=actor)


@contextmanager
def _progress(cli: Cli, *, of: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    with Progress(
        console=cli.out.talk_console, transient=True, disable=not cli.out.talks_to_a_person
    ) as progress:
        bar = progress.add_task("submitting", total=of)
        yield lambda done: progress.update(bar, completed=done)


def _show(cli: Cli, found: list[Submitted | Refused]) -> None:
    if cli.out.as_json:
        cli.out.data(
            {"schema": 1, "results": [with_old_keys(became.to_dict()) for became in found]}
        )
        return
    accepted = [became for became in found if isinstance(became, Submitted)]
    cli.out.lines(became.task_id for became in accepted)
    coalesced = sum(became.coalesced_into is not None for became in accepted)
    cli.out.talk(
        f"{len(accepted) - coalesced} submitted, {coalesced} coalesced with tasks that wait; "
        f"watch them with: {COMMAND} monitor"
    )
