"""What every fault is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.processes import Actor


class Untouchable(Exception):
    """What would be hit is not there."""


@dataclass(frozen=True)
class Undo:
    """What puts it right again, ``after`` so many seconds."""

    after: float
    action: Callable[[], None]


Done = tuple[str, Undo | None]


def one_up(actors: Sequence[Actor], draw: Random) -> Actor:
    up = [actor for actor in actors if actor.is_up]
    if not up:
        raise Untouchable
    return draw.choice(up)
