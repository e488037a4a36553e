"""Where the seconds of a run went, step by step, for its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# In the order in which they happen; of some a run has several.
WORDS: Final[Mapping[str, str]] = {
    "start": "settings, source and load path are made ready",
    "lock": "waiting for another run of the model",
    "connect": "connecting to the warehouse",
    "prepare": "looking at the table, asking the CRM for its fields",
    "extract": "waiting for the CRM's pages",
    "convert": "typing values, hashing rows",
    "stage": "writing rows into the staging table",
    "list_keys": "comparing keys to find what is gone",
    "load": "merging into the table, marking what is gone",
    "other": "reporting progress, and what lies between the steps",
    "finish": "closing connections",
    "outside": "handing the task over, and closing its row",
}


@dataclass(frozen=True)
class Step:
    """``start`` and ``share`` in percent of the run."""

    name: str
    words: str
    seconds: float
    start: float
    share: float


def steps_of(run: Mapping[str, Any]) -> list[Step]:
    """Of a run as ``history.run`` gives it; together they are its duration. None of a run that has
    not ended, or of which no step is known."""
    told: Counter[str] = Counter()
    for seconds in (run["seconds"], *(model.get("seconds") or {} for model in run["models"])):
        told.update(seconds)
    duration = run["duration_seconds"]
    if duration is None or not told:
        return []
    told["outside"] = max(0.0, duration - told.total())
    whole, start, steps = told.total() or 1.0, 0.0, []
    for name in sorted(told, key=_place):
        if share := 100 * told[name] / whole:
            steps.append(Step(name, WORDS.get(name, ""), told[name], start, share))
            start += share
    return steps


def _place(name: str) -> int:
    """What another release has told stands before the end."""
    names = list(WORDS)
    return names.index(name if name in WORDS else "finish")
