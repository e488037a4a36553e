"""What the rounds have found, as a table, as JSON, and as the part of README that shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

CELERY = "Celery"
README = Path(__file__).parents[2] / "README.md"
RESULTS = Path(__file__).parents[1] / "results.json"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True)
class Figure:
    """``cpu_ms`` of each task; ``gaps`` between the end of a task and the next start in its slot,
    in milliseconds: the median and the 99th percentile."""

    per_second: float
    cpu_ms: float
    gaps: tuple[float, float] | None = None


# Measure, contender: one figure a round.
Figures = Mapping[tuple[str, str], Sequence[Figure]]


def rows(figures: Figures) -> Iterator[dict[str, Any]]:
    """Medians, and their ratio to Celery's in the same measure."""
    for (measure, contender), found in figures.items():
        rate, cpu = (median(getattr(f, n) for f in found) for n in ("per_second", "cpu_ms"))
        usual = figures.get((measure, CELERY), ())
        gaps = [one.gaps for one in found if one.gaps]
        yield {
            "measure": measure,
            "contender": contender,
            "per_second": round(rate, 1),
            "to_celery": _ratio(rate, [one.per_second for one in usual]),
            "cpu_ms": round(cpu, 3),
            "cpu_to_celery": _ratio(cpu, [one.cpu_ms for one in usual]),
            "gap_ms": [round(median(part), 1) for part in zip(*gaps, strict=True)],
        }


def _ratio(value: float, usual: Sequence[float]) -> float | None:
    return round(value / median(usual), 2) if usual and median(usual) else None


def results(
    figures: Figures, *, command: str, rounds: int, ledger: str, versions: Mapping[str, str]
) -> dict[str, Any]:
    """``load``: what else has run on the machine, as its one-minute average at the end."""
    return {
        "command": command,
        "rounds": rounds,
        "ledger": ledger,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": dict(versions),
        "figures": list(rows(figures)),
    }


def table(found: Mapping[str, Any]) -> str:
    """In Markdown, which a terminal shows as well."""
    lines = [
        "| measure | contender | per s | ÷ Celery | CPU ms | CPU ÷ Celery | gap p50 / p99 ms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in found["figures"]:
        ratios = ("" if row[n] is None else f"{row[n]:.2f}" for n in ("to_celery", "cpu_to_celery"))
        to_celery, cpu_to_celery = ratios
        gaps = " / ".join(f"{gap:.1f}" for gap in row["gap_ms"])
        lines.append(
            f"| {row['measure']} | {row['contender']} | {row['per_second']:.0f} | {to_celery} "
            f"| {row['cpu_ms']:.2f} | {cpu_to_celery} | {gaps} |"
        )
    return "\n".join(lines)


def conditions(found: Mapping[str, Any]) -> str:
    """How the figures came about, in one paragraph."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"By `{found['command']}`: medians of {found['rounds']} interleaved rounds, ledger "
        f"{found['ledger']}, {found['cores']} cores, load {found['load']} at the end. {versions}."
    )


def write(found: Mapping[str, Any], *, file: Path = RESULTS, readme: Path = README) -> None:
    """Keep the results, and show them between the two markers of README."""
    file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    shown = f"{BEGIN}\n\n{conditions(found)}\n\n{table(found)}\n\n{END}"
    readme.write_text(f"{before}{shown}{after}", "utf-8")
