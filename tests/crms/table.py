"""The table of all commands: how each fared in every state, on both warehouses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """How one command fared in one state on one warehouse."""

    command: str
    warehouse: str
    state: str
    verdict: str
    seconds: float


def write_table(cells: Sequence[Cell]) -> str:
    """One line per command, one column per warehouse and state; totals last."""
    columns = list(dict.fromkeys((c.warehouse, c.state) for c in cells))
    found = {(c.command, c.warehouse, c.state): c for c in cells}
    commands = list(dict.fromkeys(c.command for c in cells))
    widths = [max(len(state), len("DIFFERS")) for _, state in columns]
    names = max(len(command) for command in commands)
    lines = [
        _line("", _warehouse_names(columns), widths, names),
        _line("command", [state for _, state in columns], widths, names),
    ]
    for command in commands:
        verdicts = [_verdict(found.get((command, *column))) for column in columns]
        lines.append(_line(command, verdicts, widths, names))
    return "\n".join([*lines, "", *_totals(cells, commands)]) + "\n"


def _warehouse_names(columns: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Each name once, above its first column."""
    before = None
    for warehouse, _ in columns:
        yield warehouse if warehouse != before else ""
        before = warehouse


def _verdict(cell: Cell | None) -> str:
    return cell.verdict if cell else "-"


def _line(name: str, words: Iterator[str] | Sequence[str], widths: list[int], names: int) -> str:
    cells = (word.ljust(width) for word, width in zip(words, widths, strict=True))
    return f"{name.ljust(names)}  {'  '.join(cells)}".rstrip()


def _totals(cells: Sequence[Cell], commands: Sequence[str]) -> Iterator[str]:
    equal = sum(cell.verdict == "equal" for cell in cells)
    yield f"{equal} of {len(cells)} comparisons of {len(commands)} commands found no difference."
    for warehouse in dict.fromkeys(cell.warehouse for cell in cells):
        seconds = sum(cell.seconds for cell in cells if cell.warehouse == warehouse)
        yield f"{warehouse}: {seconds:.0f} seconds"
