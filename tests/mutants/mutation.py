"""One small fault in one file."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

Operator = Literal[
    "comparison", "constant", "dropped statement", "moment taken late", "swapped argument"
]


@dataclass(frozen=True)
class Mutation:
    """``start`` and ``end``: bytes of the file that ``after`` takes the place of. ``within``: the
    function and class it stands in, with dots; ``nth``: which of its equals there."""

    path: str
    within: str
    operator: Operator
    start: int
    end: int
    before: str
    after: str
    line: int
    nth: int = 1

    @property
    def name(self) -> str:
        """The same as long as the mutated piece and its equals before it stay."""
        place = f"{self.path}:{self.within}" if self.within else self.path
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{place}: {self.operator}: {before} -> {after or '(nothing)'}{again}"

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def numbered(mutations: Iterable[Mutation]) -> list[Mutation]:
    """In the order of the file, equals counted."""
    met: Counter[tuple[str, ...]] = Counter()
    found = []
    for mutation in sorted(mutations, key=lambda m: (m.start, m.end, m.operator, m.after)):
        same = (mutation.within, mutation.operator, mutation.before, mutation.after)
        met[same] += 1
        found.append(replace(mutation, nth=met[same]))
    return found


def sample(mutations: Sequence[Mutation], count: int, seed: int) -> list[Mutation]:
    """Drawn by the seed, of each operator as many as there are."""
    draw = random.Random(seed)
    kinds: dict[str, list[Mutation]] = {}
    for mutation in mutations:
        kinds.setdefault(mutation.operator, []).append(mutation)
    drawn = [draw.sample(kinds[kind], len(kinds[kind])) for kind in sorted(kinds)]
    in_turn = [m for round_ in zip_longest(*drawn) for m in round_ if m is not None]
    return in_turn[:count]
