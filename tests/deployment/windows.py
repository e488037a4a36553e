"""When each model was loaded, and where, as the hosts' own logs say: they are written to a host's disk,
whether or not anybody can reach it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

BEGINS, MERGED = re.compile(r"(\w+): extract begins"), re.compile(r"(\w+) is merged: .*")


@dataclass
class Window:
    """From the first page that is read to the merge; ``merged_at`` is None for one that loaded nothing."""

    model: str
    host: str
    run: tuple[int, int]
    begun_at: datetime
    merged_at: datetime | None = None

    def is_open(self, moment: datetime) -> bool:
        return self.begun_at <= moment and (self.merged_at is None or self.merged_at > moment)


def windows(folders: Mapping[str, Path]) -> list[Window]:
    """``folders``: of the logs, by host. By their beginnings."""
    found: list[Window] = []
    for host, folder in folders.items():
        begun: dict[tuple[str, int, int], Window] = {}
        for line in sorted(_lines(folder), key=lambda line: str(line["timestamp"])):
            run = (line["run"], line.get("attempt", 0))
            if match := BEGINS.fullmatch(line["event"]):
                model = f"{line['crm']}.{match[1]}"
                begun[model, *run] = Window(model, host, run, _moment(line))
                found.append(begun[model, *run])
            elif match := MERGED.fullmatch(line["event"]):
                begun[f"{line['crm']}.{match[1]}", *run].merged_at = _moment(line)
    return sorted(found, key=lambda window: window.begun_at)


def overlaps(found: Iterable[Window]) -> list[str]:
    """Loads of one model that were merged although another one was under way."""
    by_model: dict[str, list[Window]] = defaultdict(list)
    for window in found:
        if window.merged_at is not None:
            by_model[window.model].append(window)
    return [
        f"{first} and {second}"
        for each in by_model.values()
        for first, second in pairwise(each)
        if first.is_open(second.begun_at)
    ]


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in folder.glob("*.log"):
        whole = file.read_text().rpartition("\n")[0]  # somebody may be writing the last line
        for line in map(json.loads, whole.splitlines()):
            if "run" in line and (BEGINS.match(line["event"]) or MERGED.match(line["event"])):
                yield line


def _moment(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])
