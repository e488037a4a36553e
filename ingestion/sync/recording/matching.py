"""Which recorded answer a request gets: that of the same request; else that of one that differs only
in times and in ids that a client makes up, because a later run asks for other days."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from ingestion.sync.recording.bundle import Answered, Asked, Recorded

# A token of a client that keeps AWS from running a query twice.
VOLATILE: Final = frozenset({"ClientRequestToken"})
TIMES: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?<!\d)1\d{12}(?!\d)"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


def comparable(asked: Asked) -> Asked:
    """The request as equal ones are equal: its body without blanks and volatile fields."""
    try:
        content = json.loads(asked.body)
    except ValueError:
        return replace(asked, body=" ".join(asked.body.split()))
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name not in VOLATILE}
    return replace(asked, body=json.dumps(content, sort_keys=True))


def without_times(asked: Asked) -> Asked:
    query = tuple((name, _without_times(value)) for name, value in asked.query)
    return replace(
        asked, path=_without_times(asked.path), query=query, body=_without_times(asked.body)
    )


def _without_times(text: str) -> str:
    return TIMES.sub("*", text)


class Tape:
    """Equal requests get their answers in the order of the recording, and the last one again."""

    def __init__(self, exchanges: Iterable[Recorded]) -> None:
        self._exact: defaultdict[Asked, list[int]] = defaultdict(list)
        self._alike: defaultdict[Asked, list[int]] = defaultdict(list)
        self._answers: list[Answered] = []
        self._given: set[int] = set()
        self._lock = threading.Lock()
        for number, exchange in enumerate(exchanges):
            asked = comparable(exchange.asked)
            self._exact[asked].append(number)
            self._alike[without_times(asked)].append(number)
            self._answers.append(exchange.answered)

    def answer(self, asked: Asked) -> Answered | None:
        """None where nothing like it was asked. A request for a place without a setting fits one of
        any place."""
        wanted = comparable(asked)
        for one in (wanted, replace(wanted, base="")):
            alike = without_times(one)
            with self._lock:
                numbers = self._exact.get(one) or self._alike.get(alike)
                if numbers:
                    return self._next(numbers)
        return None

    def _next(self, numbers: list[int]) -> Answered:
        number = next((n for n in numbers if n not in self._given), numbers[-1])
        self._given.add(number)
        return self._answers[number]

    def to_json(self) -> dict[str, Any]:
        """How many answers there are, and how many were given."""
        return {"answers": len(self._answers), "given": len(self._given)}
