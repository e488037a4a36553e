"""The commands of a Markdown page with the output that the page shows.

In a ``console`` block every line after ``$ `` is a command, and the lines below it are its output;
``...`` stands for lines that are left out. A comment before the block says what is different:

    <!-- not run: REASON -->      it needs something that a test does not have
    <!-- exit: 3 -->              the last command ends with that code
    <!-- after: Ctrl-C -->        in the terminal of the program that was started last
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = "$ "
LEFT_OUT = "..."
_BLOCK = re.compile(
    r"(?P<said>(?: *<!-- [^>]+ -->\n)*) *```console\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_SAID = re.compile(r"<!-- (not run|exit|after): (.+) -->")
# What differs from run to run, most specific first.
_CHANGING = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?: UTC)?", "TIME"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b", "ID"),
    (r"(login +\S+ / )\S+", r"\1PASSWORD"),
    (r"\b\S+ (?=\(command line\))", "WHO "),
    (r"\b[\d,]*\d(?:\.\d+)?(?: ?(?:h|m|s|ms|%))?(?=\W|$)", "N"),
    (r"(?:N )+N", "N"),
    (r"[ \t]+", " "),
)


@dataclass
class Command:
    """One command: its words, the output lines that the page shows, and where it stands."""

    words: str
    line: int
    shown: list[str] = field(default_factory=list)
    exit_code: int = 0
    why_not_run: str = ""
    is_after_stop: bool = False


def commands(page: Path) -> Iterator[Command]:
    text = page.read_text()
    for block in _BLOCK.finditer(text):
        line = text[: block.start("body")].count("\n")
        found: list[Command] = []
        body = textwrap.dedent(block["body"])
        for number, words in enumerate(body.splitlines(), line + 1):
            if words.startswith(PROMPT):
                found.append(Command(_without_remark(words.removeprefix(PROMPT)), number))
            elif found and found[-1].words.endswith("\\"):
                found[-1].words = found[-1].words.removesuffix("\\") + words.strip()
            elif found:
                found[-1].shown.append(words)
        said = dict(_SAID.findall(block["said"]))
        if found:
            found[0].is_after_stop = "after" in said
            found[-1].exit_code = int(said.get("exit", 0))
        for command in found:
            command.why_not_run = said.get("not run", "")
            yield command


def _without_remark(words: str) -> str:
    return re.sub(r"\s{2,}# .*", "", words)


def missing_from(shown: list[str], printed: str) -> list[str]:
    """The shown lines that were not printed, in this order and without others in between; after
    ``...`` others may come first."""
    lines = [alike(line) for line in printed.splitlines() if line.strip()]
    missing, at, is_gap = [], 0, True  # what comes before the first line is often progress
    for line in filter(str.strip, shown):
        if line.strip() == LEFT_OUT:
            is_gap = True
            continue
        wanted = alike(line)
        places = [n for n in range(at, len(lines)) if lines[n] == wanted]
        if not places or (not is_gap and places[0] != at):
            missing.append(line)
            is_gap = True
            continue
        at, is_gap = places[0] + 1, False
    return missing


def alike(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, word in _CHANGING:
        line = re.sub(pattern, word, line)
    return line.strip()
