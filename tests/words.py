"""Looks for words that a stranger would have to learn: ``python -m tests.words``, part of make check.

Each pattern stands for an idea that has a usual name; the message says which. Old public names have
one file of their own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What not to write -> what to write.
PATTERNS = {
    r"\bdoors?\b": "entry point; in the API: endpoint",
    r"\bdeeds?\b": "action",
    r"referee|Referee": "FailoverStore, ActiveStore",
    r"\bWho ?Decides\b|who_decides": "active store",
    r"\bKept\b(?! )|\bkept_of\b": "TaskRecord, record_of",
    r"\bWish\b|StopWish": "request",
    r"unspoken": "unplaced",
    r"is_torn|\btorn\b(?!<|\\x1f)": "incomplete",
    r"\banew\b": "again, new",
    r"[Rr]eprioriti[sz]e": "prioritize",
    r"\bstand[-_]ins?\b": "sandbox",
    r"\bunhold\b": "release",
    r"\bput_right\b": "repair",
    r"\bsure_seconds\b": "exclusive_seconds",
    r"\babsorb": "coalesce",
    r"\b[Oo]utside[-_ ]runs?\b|OutsideRun": "direct run",
    r"\bshell_runs?\b|ShellRun": "direct run",
    r"\bset_aside\b": "dead_letter",
    r"\btold_as\b": "as_unavailable",
    r"\bdoor_table\b|\bdoctor_patient\b|\breferee_bench\b": "endpoint_table, doctor_fixture, …",
}
TEXT = {
    ".py",
    ".lua",
    ".sql",
    ".md",
    ".html",
    ".js",
    ".toml",
    ".ini",
    ".yml",
    ".py-tpl",
    ".example",
}
# Old public names, their list in a test, what was published, and the rows of a schema.
LEFT_OUT = re.compile(
    r"^(ingestion/deprecated_names\.py|tests/unit/test_deprecated_names\.py|tests/words\.py"
    r"|CHANGELOG\.md|static/ingestion/vendor/.*|.*/migrations/.*)$"
)
# The name in the state of older releases.
STORED = ("worker_pool:set_aside", "poolreferee", '"set_aside"')


def files() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = Path(name)
        is_text = path.suffix in TEXT or path.name in {"Makefile", "Dockerfile"}
        if is_text and path.is_file() and not LEFT_OUT.match(name):
            yield path


def found_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, what was found, what to write."""
    for number, line in enumerate(text.splitlines(), start=1):
        for stored in STORED:
            line = line.replace(stored, "")
        for pattern, better in PATTERNS.items():
            for hit in re.finditer(pattern, line):
                yield number, hit.group(), better


def main() -> int:
    count = 0
    for path in files():
        for number, word, better in found_in(path.read_text()):
            sys.stderr.write(f"{path}:{number}: {word!r}: write {better}\n")
            count += 1
    sys.stdout.write(f"words: {count or 'nothing'} to rename\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
