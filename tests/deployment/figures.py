"""What became of the tasks of a test: how many were submitted, lost, run twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class Run:
    """``is_whole``: it has done all that it had to do, and was not stopped before."""

    begun_at: float
    ended_at: float = 0.0
    is_whole: bool = False


@dataclass
class Figures:
    """``lost`` and ``run_twice`` say of each such task what is wrong with it. ``interrupted`` counts
    runs that were stopped before their end; another run of the task carried it out."""

    submitted: int = 0
    interrupted: int = 0
    lost: list[str] = field(default_factory=list)
    run_twice: list[str] = field(default_factory=list)

    def judge(self, label: int, outcome: str | None, runs: list[Run]) -> None:
        """One more task: what the ledger says of it, and when it ran."""
        whole = [run for run in runs if run.is_whole]
        self.submitted += 1
        self.interrupted += len(runs) - len(whole)
        if outcome != "success" or not whole:
            told = f"the ledger says {outcome}, {len(whole)} of {len(runs)} runs were whole"
            self.lost.append(f"{label}: {told}")
        if len(whole) > 1:
            self.run_twice.append(f"{label}: carried out {len(whole)} times")
        if any(first.ended_at > second.begun_at for first, second in itertools.pairwise(runs)):
            self.run_twice.append(f"{label}: ran twice at a time")

    def to_dict(self) -> dict[str, int]:
        return {
            "submitted": self.submitted,
            "lost": len(self.lost),
            "run twice": len(self.run_twice),
            "interrupted": self.interrupted,
        }


def table(rows: Iterable[tuple[str, Mapping[str, int]]]) -> str:
    """One line per test, and one for all."""
    found = list(rows)
    names = list(dict.fromkeys(name for _, figures in found for name in figures))
    total = {name: sum(figures.get(name, 0) for _, figures in found) for name in names}
    wide = max(len(test) for test, _ in (*found, ("all", {})))
    head = " ".join([" " * wide, *(f"{name:>12}" for name in names)])
    lines = (
        " ".join([f"{test:{wide}}", *(f"{figures.get(name, 0):12,}" for name in names)])
        for test, figures in (*found, ("all", total))
    )
    return "\n".join([head, *lines]) + "\n"
