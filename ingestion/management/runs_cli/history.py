"""``list``, ``show``, ``tail``, ``retry``: the history on the command line."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ingestion.management.cli import tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import Conflict, WrongUse
from ingestion.management.cli.lines import duration, printable
from ingestion.services.reporting import history, reruns
from ingestion.services.requests.routing import known_crms, types_of, unknown_source
from ingestion.services.runlog.lines import RunNotFound
from ingestion.sync.common.errors import did_you_mean

FOLLOW_SECONDS = 2.0
MOST_RETRIED = 500
DATE_AND_TIME = len("2026-01-31 06:00:00")

Run = dict[str, Any]


def list_runs(cli: Cli, options: Options) -> None:
    """The latest first."""
    found = history.search(_search(options), at=options["cursor"] or None, limit=options["limit"])
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
        return
    _show(cli, options, found.items)
    if found.next_cursor:
        cli.out.talk(f"There are more: --cursor {found.next_cursor}")


def tail(cli: Cli, options: Options) -> None:
    """The last runs, the latest at the end; with --follow each run again as it begins or ends."""
    wanted = _search(options)
    shown: dict[int, str] = {}
    limit = options["limit"]
    while True:
        found = history.search(wanted, limit=limit).items
        new = [run for run in reversed(found) if shown.get(run["id"]) != run["status"]]
        shown = {run["id"]: run["status"] for run in found}
        for run in new:
            if cli.out.as_json:
                cli.out.data({"schema": 1, **run}, in_one_line=True)
            else:
                cli.out.line(line(run))
        if not options["follow"]:
            return
        limit = max(limit, 50)
        time.sleep(FOLLOW_SECONDS)


def show(cli: Cli, options: Options) -> None:
    """Raises RunNotFound."""
    found = history.run(options["run"])
    if found is None:
        raise RunNotFound(f"The history knows no run {options['run']}.")
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found})
    else:
        cli.out.lines(_facts(found))


def retry(cli: Cli, options: Options) -> None:
    """Raises WrongUse unless there are IDs or a filter, TaskNotFound, NotEnded."""
    ids = options["run"] or _found(cli, options)
    made = reruns.of_runs(cli.pool, ids, change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, **made.to_dict()})
        return
    cli.out.lines(made.submitted)
    stands = f"; {made.coalesced} are done by tasks that wait already" if made.coalesced else ""
    cli.out.talk(f"{len(made.submitted)} submitted{stands}.")


def _found(cli: Cli, options: Options) -> list[int]:
    """The runs of the filter, after somebody has said yes."""
    wanted = _search(options)
    if wanted == history.Search():
        raise WrongUse("Give the numbers of runs, or a filter such as --status failed --since 1d.")
    found = history.search(wanted, limit=MOST_RETRIED + 1).items
    found = [run for run in found if run["end_time"]]
    if len(found) > MOST_RETRIED:
        raise Conflict(f"More than {MOST_RETRIED} runs match; narrow the filter.")
    if not options["yes"] and found:
        question = f"Submit {len(found)} run{'s' * (len(found) != 1)} again?"
        cli.out.confirm(question, flag="--yes", can_be_undone=True)
    return [run["id"] for run in found]


def _search(options: Options) -> history.Search:
    """Raises UnknownSource."""
    crm = (options["crm"] or "").lower()
    if crm and crm not in known_crms():
        raise unknown_source(crm, known_crms())
    return history.Search(
        crm_source=crm,
        sync_type=options["type"] or "",
        status=options["status"] or "",
        since=options["since"],
        until=options["until"],
        text=options["text"] or "",
    )


def _show(cli: Cli, options: Options, found: Sequence[Run]) -> None:
    if not found:
        cli.out.talk(f"No runs.{_hint(options)}")
    elif cli.out.draws_tables:
        cli.out.draw(tables.runs([cells(run) for run in found]))
    else:
        cli.out.lines(line(run) for run in found)


def _hint(options: Options) -> str:
    """A filter by a type that no CRM has finds what was asked for under that name, if anything."""
    typed, crm = options["type"], options["crm"]
    known = types_of(crm) if crm else [kind for name in known_crms() for kind in types_of(name)]
    if not typed or typed in known:
        return ""
    return f" There is no sync type {typed!r}{did_you_mean(typed, known)}."


def cells(run: Run) -> tuple[str, ...]:
    """Number, route, status, start, time, rows, error."""
    return (
        str(run["id"]),
        printable(run["route"]),
        run["status"],
        _stamp(run["start_time"]),
        duration(run["duration_seconds"]) if run["duration_seconds"] is not None else "",
        f"{run['records_processed'] or 0:,}",
        printable(run["error_message"] or ""),
    )


def line(run: Run) -> str:
    """``1234 hubspot.contacts success 2026-11-30 11:14:36 UTC, 2s, 1,646 rows``."""
    number, route, status, start, took, rows, error = cells(run)
    facts = ", ".join(fact for fact in (f"{start} UTC", took, f"{rows} rows") if fact)
    return f"{number} {route} {status} {facts}" + (f": {error}" if error else "")


def _stamp(iso: str | None) -> str:
    return (iso or "")[:DATE_AND_TIME].replace("T", " ")


def _facts(run: Run) -> Iterator[str]:
    yield line({**run, "error_message": None})
    if run["error_message"]:
        yield f"Error: {printable(run['error_message'])}"
    yield f"Command: {run['command'] or 'none'}"
    yield f"Parameters: {run['parameters'] or 'none'}"
    yield f"Requested by: {printable(run['requested_by']) or 'the command line'}"
    if run["reason"]:
        yield f"Why: {printable(run['reason'])}"
    yield f"Task: {run['task_id'] or 'none: it did not come through the pool'}"
    yield f"Attempt: {run['attempt']}"
    counts = ", ".join(f"{run[f'records_{name}'] or 0:,} {name}" for name in history.COUNTS)
    yield f"Records: {counts}"
    yield from _models(run["models"])
    yield f"Log: manage.py manage_runs logs {run['id']}"


def _models(models: Iterable[Run]) -> Iterator[str]:
    for model in models:
        told = "; ".join(
            printable(str(model[k])) for k in ("error", "warning", "skipped") if model.get(k)
        )
        rows = f"- {model['model']}: {model.get('processed', 0):,} rows, {model.get('requests', 0):,} requests"
        yield f"{rows}; {told}" if told else rows
