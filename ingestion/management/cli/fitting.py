"""A table that fits the terminal without breaking a word: columns give way before words do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

Cell = str | Text
# Between two columns.
GAP = 3
# A word that is longer, such as a mail address, is folded.
LONGEST_WORD = 36


@dataclass
class FittingTable:
    """``first_to_go``: the columns that a narrow terminal does without, in this order."""

    title: str
    columns: Sequence[str]
    first_to_go: Sequence[str] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    caption: str = ""

    def add_row(self, *cells: Cell) -> None:
        self.rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._shown(options.max_width)
        table = Table(
            title=self.title,
            title_justify="left",
            caption=self.caption or None,
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
        )
        for index, width in zip(shown, self._widths(shown, options.max_width), strict=True):
            table.add_column(self.columns[index], width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*(row[index] for index in shown))
        yield table

    def _shown(self, room: int) -> list[int]:
        shown = list(range(len(self.columns)))
        for name in self.first_to_go:
            if sum(self._least(index) + GAP for index in shown) <= room:
                break
            shown.remove(self.columns.index(name))
        return shown

    def _widths(self, shown: Sequence[int], room: int) -> list[int]:
        """Each has its longest word; from the left, each as much more as there is."""
        least = [self._least(index) for index in shown]
        rest = max(0, room - sum(least) - GAP * (len(shown) - 1))
        widths = []
        for index, width in zip(shown, least, strict=True):
            more = min(rest, self._most(index) - width)
            rest -= more
            widths.append(width + more)
        return widths

    def _texts(self, index: int) -> Iterable[str]:
        yield self.columns[index]
        yield from (str(row[index]) for row in self.rows)

    def _least(self, index: int) -> int:
        words = (word for text in self._texts(index) for word in text.split())
        return min(LONGEST_WORD, max((cell_len(word) for word in words), default=1))

    def _most(self, index: int) -> int:
        lengths = (cell_len(line) for text in self._texts(index) for line in text.splitlines())
        return max(self._least(index), max(lengths, default=1))
