"""Whether the promises held, judged from what the syncs wrote and from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.chaos.judges import attempts, audit, calls, endings, order, slots
from tests.chaos.judges.facts import Facts

JUDGES: tuple[Callable[[Facts], Iterator[str]], ...] = (
    endings.unfinished,
    endings.two_endings,
    endings.disagreements,
    endings.done_or_not,
    endings.done_in_vain,
    endings.unasked_cancellations,
    endings.without_cause,
    slots.leaks,
    slots.too_many_at_once,
    attempts.run_by_two,
    attempts.out_of_order,
    attempts.too_many,
    order.overtaken,
    audit.unrecorded,
    calls.too_slow,
    calls.raised_raw,
    calls.too_many_refused,
    calls.died_by_themselves,
)


def findings(facts: Facts) -> list[str]:
    """Every broken promise in words; none when all held."""
    return [finding for judge in JUDGES for finding in judge(facts)]
