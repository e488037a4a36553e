"""How a sync command shows its progress and its result."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.run import ModelResult, SyncResult

COUNTS = ("processed", "created", "updated", "deleted", "failed")


@contextmanager
def command_reporter(crm_source: str, *, silent: bool) -> Iterator[Reporter]:
    """A progress bar on a terminal, one line per step otherwise; both on stderr."""
    if silent:
        yield SilentReporter()
    elif sys.stderr.isatty():
        with _progress() as progress:
            yield BarReporter(crm_source, progress)
    else:
        yield LineReporter(crm_source)


def print_summary(result: SyncResult, *, is_dry: bool) -> None:
    """A table on a terminal, one line per model otherwise; on stdout."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if console.is_terminal:
        console.print(_table(result))
    else:
        for model in result.models:
            console.print(_line(result.crm_source, model), markup=False)
    for note in _notes(result, is_dry=is_dry):
        console.print(note, markup=False)


class LineReporter:
    """Writes a line when a step begins."""

    def __init__(self, crm_source: str) -> None:
        self._crm_source = crm_source
        self._rows: dict[str, int] = {}

    def step(self, model: str, step: str) -> None:
        read = f" ({self._rows[model]} records read)" if model in self._rows else ""
        sys.stderr.write(f"{self._crm_source}.{model}: {step}{read}\n")

    def advance(self, model: str, *, rows: int) -> None:
        self._rows[model] = self._rows.get(model, 0) + rows

    def check(self) -> None: ...

    def check_known(self) -> None: ...


class BarReporter:
    """One bar per model, without an end: a CRM does not tell how much there is."""

    def __init__(self, crm_source: str, progress: Progress) -> None:
        self._crm_source = crm_source
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def step(self, model: str, step: str) -> None:
        self._progress.update(self._bar(model), step=step)

    def advance(self, model: str, *, rows: int) -> None:
        self._progress.update(self._bar(model), advance=rows)

    def check(self) -> None: ...

    def check_known(self) -> None: ...

    def _bar(self, model: str) -> TaskID:
        if model not in self._bars:
            for earlier in self._bars.values():
                self._progress.stop_task(earlier)
                self._progress.update(earlier, step="done")
            name = f"{self._crm_source}.{model}"
            self._bars[model] = self._progress.add_task(name, total=None, step="")
        return self._bars[model]


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} records"),
        TextColumn("{task.fields[step]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _table(result: SyncResult) -> Table:
    table = Table(title=f"{result.crm_source} {result.sync_type}")
    table.add_column("model")
    for name in (*COUNTS, "seconds"):
        table.add_column(name, justify="right")
    for model in result.models:
        counts = (f"{getattr(model, name):,}" for name in COUNTS)
        table.add_row(model.model, *counts, f"{_seconds(model):.1f}")
    return table


def _line(crm_source: str, model: ModelResult) -> str:
    counts = ", ".join(f"{getattr(model, name)} {name}" for name in COUNTS)
    return f"{crm_source}.{model.model}: {counts}, {_seconds(model):.1f} s"


def _notes(result: SyncResult, *, is_dry: bool) -> Iterator[str]:
    for model in result.models:
        name = f"{result.crm_source}.{model.model}"
        if model.error:
            yield f"{name}: failed: {model.error}"
        if model.skipped:
            yield f"{name}: passed over: {model.skipped}"
        if model.warning:
            yield f"{name}: {model.warning}"
        for change in model.schema_changes:
            yield f"{name}: {change}"
    if is_dry:
        yield "Dry run: nothing was written."


def _seconds(model: ModelResult) -> float:
    return sum(model.seconds.values())
