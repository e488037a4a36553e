"""Reads the log of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from ingestion.models import RunLine, SyncHistory
from ingestion.pool.errors import PoolError

LEVELS = ("debug", "info", "warning", "error", "critical")
MOST_LINES = 2000


class RunNotFound(PoolError, LookupError):
    """The history knows no such run."""

    code = "RUN_NOT_FOUND"


@dataclass(frozen=True)
class RunLog:
    """``has_ended``: no more lines will come."""

    lines: Sequence[RunLine]
    has_ended: bool

    def to_dict(self) -> dict[str, Any]:
        """``next_after``: what to ask for next time."""
        return {
            "schema": 1,
            "lines": [to_dict(line) for line in self.lines],
            "next_after": self.lines[-1].number if self.lines else None,
            "has_ended": self.has_ended,
        }


def read(
    history_id: int, *, after: int = 0, level: str = "", text: str = "", limit: int = MOST_LINES
) -> RunLog:
    """The lines with numbers above ``after``, from ``level`` on, that hold ``text``. Raises
    RunNotFound."""
    # The end is read first: what is written before it is then among the lines.
    status = SyncHistory.objects.filter(pk=history_id).values_list("status", flat=True).first()
    if status is None:
        raise RunNotFound(f"The history knows no run {history_id}.")
    found = _matching(history_id, level, text).filter(number__gt=after)
    return RunLog(list(found[:limit]), status not in SyncHistory.OPEN_STATUSES)


def as_lines(found: Sequence[RunLine], *, before: int = 0) -> Iterator[str]:
    """``before``: the number of the last line that was printed already."""
    for line in found:
        if before and line.number > before + 1:
            yield f"… {line.number - before - 1} lines are not here …\n"
        before = line.number
        model = f" [{line.model}]" if line.model else ""
        yield f"{line.at:%Y-%m-%dT%H:%M:%S.%f}Z {line.level:<8}{model} {line.text}\n"


def to_dict(line: RunLine) -> dict[str, Any]:
    """The JSON form."""
    names = ("number", "level", "model", "text")
    return {**{name: getattr(line, name) for name in names}, "at": line.at.isoformat()}


def _matching(history_id: int, level: str, text: str) -> QuerySet[RunLine]:
    found = RunLine.objects.filter(run_id=history_id).order_by("number")
    if level in LEVELS:
        found = found.filter(level__in=LEVELS[LEVELS.index(level) :])
    return found.filter(text__icontains=text) if text else found
