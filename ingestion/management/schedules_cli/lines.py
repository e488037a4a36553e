"""A schedule in plain lines and in tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ingestion.management.cli.fitting import FittingTable
from ingestion.management.cli.lines import printable, stamp
from ingestion.management.cli.output import Output
from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.load import CrmLoad, Finding

COLUMNS = ("ID", "Name", "Sync", "Runs", "By", "Next run", "Last run")


def show_all(out: Output, found: Sequence[SyncSchedule], *, crm_source: str = "") -> None:
    last = schedules.last_runs(found)
    rows = [row(schedule, last.get(schedule.pk)) for schedule in found]
    if out.draws_tables:
        out.draw(table("Schedules", COLUMNS, rows))
    elif rows:
        out.lines("\t".join(words) for words in rows)
    elif crm_source:
        out.talk(f"There is no schedule of {crm_source}; 'list' without --crm shows all.")
    else:
        out.talk("There is no schedule yet; 'load_schedules --set standard' makes some.")


def row(schedule: SyncSchedule, last: SyncHistory | None) -> tuple[str, ...]:
    preview = schedules.preview_of(schedule, count=1)
    return (
        str(schedule.pk),
        printable(schedule.name),
        f"{schedule.route} ({schedule.mode})",
        preview.words,
        schedule.execution,
        stamp(preview.next_runs[0]) if preview.next_runs else "disabled",
        f"{last.status} {stamp(last.start_time)}" if last else "never",
    )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> FittingTable:
    drawn = FittingTable(title, columns, columns[:2:-1])
    for words in rows:
        drawn.add_row(*words)
    return drawn


def whole(schedule: SyncSchedule) -> Iterator[str]:
    """One schedule, all of it."""
    shape = schedules.to_dict(schedule)
    last = shape.pop("last_run")
    next_runs = shape.pop("next_runs")
    for name, value in shape.items():
        yield f"{name}: {printable(str(value))}"
    yield from times(next_runs)
    if last:
        yield f"last run: {last['status']} {last['started_at']}"


def times(next_runs: Iterable[datetime | str]) -> Iterator[str]:
    shown = [f"- {at if isinstance(at, str) else stamp(at)}" for at in next_runs]
    yield "next runs:" if shown else "next runs: none"
    yield from shown


def run_line(found: SyncHistory) -> str:
    told = f": {printable(found.error_message)}" if found.error_message else ""
    return f"{stamp(found.start_time)} {found.status} {found.records_processed} records{told}"


def warn(out: Output, findings: Iterable[Finding]) -> None:
    """For people beside the data."""
    for finding in findings:
        out.talk(f"Warning: {printable(finding.sentence)}", style="yellow")


def load_line(crm: CrmLoad) -> str:
    quota = f" of {crm.quota_per_day:,.0f} allowed" if crm.quota_per_day else ""
    return (
        f"{crm.crm_source}: {crm.schedules} schedule{'' if crm.schedules == 1 else 's'}, "
        f"{crm.runs_per_day:,.0f} runs a day, "
        f"about {crm.requests_per_day:,.0f} requests{quota}"
    )
