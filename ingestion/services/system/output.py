"""What the programs of the system print: kept in a file each, the notable lines shown."""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

from ingestion import private_files

KEPT_BYTES = 5_000_000
END_LINES = 15
SHOWN_AT_ONCE = 5
# As other programs write it, and as this project logs for people and for programs.
_NOTABLE = re.compile(
    r"\b(WARNING|ERROR|CRITICAL|Traceback)\b|\w+(Error|Exception): |"
    r"\[(warning|error|critical) *\]|\"level\": \"(warning|error|critical)\""
)


class OutputFile:
    """One program's output. The program writes straight into the file, so that it lives on
    undisturbed whatever becomes of who reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        private_files.make_folder(path.parent)
        private_files.make_file(path)
        self._rotate_when_big()
        self._read_to = path.stat().st_size if path.exists() else 0
        self._begin = self._read_to

    def _rotate_when_big(self) -> None:
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

    def printed_object(self, key: str) -> dict[str, Any] | None:
        """The JSON object with ``key`` that this run has printed on a line of its own, or None."""
        whole, _, _rest = self._this_run().rpartition("\n")
        objects = (_json_object(line) for line in whole.splitlines() if line.startswith("{"))
        return next((found for found in objects if key in found), None)

    def end(self) -> str:
        """The last lines of this run."""
        return "\n".join(f"  {line}" for line in deque(self._this_run().splitlines(), END_LINES))

    def _this_run(self) -> str:
        with self.path.open("rb") as source:
            source.seek(self._begin)
            return source.read().decode(errors="replace")


def _json_object(line: str) -> dict[str, Any]:
    """Empty for a line that only looks like one."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return found
