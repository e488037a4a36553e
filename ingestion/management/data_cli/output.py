"""Tables of rows: drawn on a terminal, with tabs between the values on a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from ingestion.management.cli.lines import printable
from ingestion.management.cli.output import Output

UNITS = ("B", "kB", "MB", "GB", "TB")


def table(
    out: Output,
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[str] = (),
) -> None:
    """``numbers``: the columns that stand at the right."""
    if not out.draws_tables:
        out.lines("\t".join(map(_one_line, row)) for row in (names, *rows))
        return
    drawn = Table(box=box.SIMPLE)
    for name in names:
        drawn.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_one_line(value)) for value in row))
    out.draw(drawn)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def size(size_bytes: float | None) -> str:
    if size_bytes is None:
        return "-"
    for unit in UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} {UNITS[-1]}"
