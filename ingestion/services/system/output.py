"""What the programs of the system print: kept in a file each, the notable lines shown."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import BinaryIO

KEPT_BYTES = 5_000_000
END_LINES = 15
SHOWN_AT_ONCE = 5
_NOTABLE = re.compile(r"\b(WARNING|ERROR|CRITICAL|Traceback)\b|\w+(Error|Exception): ")


class OutputFile:
    """One program's output. The program writes straight into the file, so that it lives on
    undisturbed whatever becomes of who reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._set_aside_when_big()
        self._read_to = path.stat().st_size if path.exists() else 0
        self._begin = self._read_to

    def _set_aside_when_big(self) -> None:
        if self.path.exists() and self.path.stat().st_size > KEPT_BYTES:
            self.path.replace(self.path.with_suffix(".out.1"))

    def writer(self) -> BinaryIO:
        return self.path.open("ab")

    def notable_lines(self) -> list[str]:
        """New lines, whole ones only, that an operator wants to see; of a flood its beginning."""
        found = [line.strip() for line in self._new_lines() if _NOTABLE.search(line)]
        shown, hidden = found[:SHOWN_AT_ONCE], found[SHOWN_AT_ONCE:]
        return [*shown, f"... and {len(hidden)} more in {self.path}"] if hidden else shown

    def _new_lines(self) -> list[str]:
        with self.path.open("rb") as source:
            source.seek(self._read_to)
            fresh = source.read()
        whole, newline, _rest = fresh.rpartition(b"\n")
        self._read_to += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()

    def has_printed(self, text: str) -> bool:
        """Whether this run of the program has printed ``text``."""
        return text in self._this_run()

    def end(self) -> str:
        """The last lines of this run."""
        return "\n".join(f"  {line}" for line in deque(self._this_run().splitlines(), END_LINES))

    def _this_run(self) -> str:
        with self.path.open("rb") as source:
            source.seek(self._begin)
            return source.read().decode(errors="replace")
