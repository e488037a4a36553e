"""What the load path is to reach, as ratios of figures of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.sync.contenders import (
    ARROW,
    COPY,
    EARLIER,
    EXECUTEMANY,
    INGESTR,
    MYSQLCLIENT,
    PLAIN,
    PRODUCT,
    PYMYSQL,
    REST,
)
from benchmarks.sync.product import DELTA, FIRST, FULL, NEW, WARM


@dataclass(frozen=True)
class Figure:
    """Of one phase. ``seconds`` by the clock; ``cpu`` of the program, without the servers; ``mb``:
    the most that it has had so far."""

    seconds: float
    cpu: float
    mb: float


# Rows, warehouse, contender, phase.
Key = tuple[int, str, str, str]
Figures = Mapping[Key, Figure]


@dataclass(frozen=True)
class Target:
    """``measured`` has to be at least or at most ``limit``; None: it could not be measured.
    ``by_cpu``: the same of CPU seconds, which other programs on the machine change less."""

    title: str
    sign: Literal["≥", "≤"]
    limit: float
    measured: float | None
    by_cpu: float | None = None

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        is_met = self.measured >= self.limit if self.sign == "≥" else self.measured <= self.limit
        return "met" if is_met else "missed"


_SPEEDS = (
    ("postgresql", MYSQLCLIENT, COPY, FIRST, 1.8),
    ("postgresql", MYSQLCLIENT, ARROW, FIRST, 5),
    ("postgresql", MYSQLCLIENT, INGESTR, FIRST, 0.6),
    ("postgresql", PYMYSQL, COPY, FIRST, 0.9),
    ("sqlite", PYMYSQL, EXECUTEMANY, FIRST, 1.2),
    ("sqlite", MYSQLCLIENT, EXECUTEMANY, FIRST, 1.2),
    ("postgresql", PYMYSQL, EARLIER, FULL, 5),
)


def targets(figures: Figures) -> Iterator[Target]:
    """Speeds at the most rows that the others have loaded; memory and deltas from the fewest rows
    to the most."""
    sizes = sorted({rows for rows, *_ in figures})
    compared = [rows for rows, _, contender, _ in figures if contender in (COPY, EXECUTEMANY)]
    for kind, ours, other, phase, limit in _SPEEDS if compared else ():
        one = figures.get((max(compared), kind, other, phase))
        two = figures.get((max(compared), kind, ours, phase))
        yield Target(
            f"{kind}: {ours} ÷ {other}, {phase}",
            "≥",
            limit,
            one.seconds / two.seconds if one and two else None,
            one.cpu / two.cpu if one and two else None,
        )
    yield from _rest(figures)
    for kind in ("postgresql", "sqlite") if len(sizes) > 1 else ():
        yield from _flat(figures, kind, sizes[0], sizes[-1])


def _rest(figures: Figures) -> Iterator[Target]:
    of_rest = {contender: f for (_, kind, contender, _), f in figures.items() if kind == REST}
    one, two = of_rest.get(PRODUCT), of_rest.get(PLAIN)
    measured = one.cpu / two.cpu if one and two else None
    yield Target(f"{REST}: CPU of a row, {PRODUCT} ÷ {PLAIN}", "≤", 0.2, measured)


def _flat(figures: Figures, kind: str, fewest: int, most: int) -> Iterator[Target]:
    small = {phase: figures.get((fewest, kind, PYMYSQL, phase)) for phase in (FIRST, FULL, WARM)}
    large = {phase: figures.get((most, kind, PYMYSQL, phase)) for phase in (FIRST, FULL, WARM)}
    words = f"{most:,} ÷ {fewest:,} rows"
    for phase in (FIRST, FULL):
        one, two = small[phase], large[phase]
        measured = two.mb / one.mb if one and two else None
        yield Target(f"{kind}: memory, {phase}, {words}", "≤", 1.1, measured)
    one, two = small[WARM], large[WARM]
    measured = two.cpu / one.cpu if one and two else None
    yield Target(f"{kind}: CPU of a {DELTA}, {words}", "≤", 1.2, measured)
    yield Target(f"{kind}: CPU s of a {DELTA}, warm", "≤", 0.1, two.cpu if two else None)
    new = figures.get((fewest, kind, PYMYSQL, NEW))
    yield Target(f"{kind}: CPU s of a {DELTA}, {NEW}", "≤", 1.5, new.cpu if new else None)
