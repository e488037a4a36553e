"""OData's ``$filter`` and ``$orderby``, as much as the sandbox understands; the rest is refused."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Final

Row = dict[str, Any]
Test = Callable[[Row], bool]
TOKEN: Final = re.compile(
    r"\s*(?:(?P<mark>[()])|(?P<kind>datetime|guid)?'(?P<text>(?:[^']|'')*)'"
    r"|(?P<number>-?\d+(?:\.\d+)?)[LlMmDdFf]?(?![\w.])|(?P<word>[A-Za-z_]\w*))"
)
COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
CONSTANTS: Final = {"true": True, "false": False, "null": None}
EQUALITIES: Final = ("eq", "ne")


class BadQuery(ValueError):
    """A query that is wrong, or that the sandbox does not understand."""


def moment_of(wcf: str) -> datetime:
    """The company's time of day, as if it were UTC."""
    return datetime.fromtimestamp(int(wcf[6:-2]) / 1000, UTC)


def filter_of(text: str, names: Collection[str]) -> Test:
    """Comparisons of properties with constants, joined by and, or, not and brackets. Raises BadQuery,
    also for a property that is not among ``names``."""
    return _Parser(text, names).whole()


def ordered(rows: list[Row], orderby: str, names: Collection[str]) -> list[Row]:
    """Raises BadQuery."""
    found = list(rows)
    for part in reversed([p.split() for p in orderby.split(",")]):
        if not part or part[0] not in names or part[1:] not in ([], ["asc"], ["desc"]):
            raise BadQuery(f"$orderby={orderby}")
        found.sort(key=lambda row: _sortable(row.get(part[0])), reverse=part[1:] == ["desc"])
    return found


def _sortable(value: Any) -> tuple[bool, str]:
    return (value is not None, str(value))


class _Parser:
    """Recursive descent: or, and, not, comparison."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text = text
        self._names = names
        self._tokens = _tokens(text)
        self._next = 0

    def whole(self) -> Test:
        found = self._any()
        if self._next < len(self._tokens):
            raise self._bad()
        return found

    def _any(self) -> Test:
        tests = [self._all()]
        while self._takes("or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._takes("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._takes("not"):
            test = self._one()
            return lambda row: not test(row)
        if self._takes("("):
            test = self._any()
            if not self._takes(")"):
                raise self._bad()
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        name, kind, told = self._token()["word"], self._token()["word"], self._token()
        compare = COMPARISONS.get(kind or "")
        if name not in self._names or compare is None:
            raise self._bad()
        wanted = _constant(told)
        if wanted is told or (wanted is None and kind not in EQUALITIES):
            raise self._bad()

        def test(row: Row) -> bool:
            value = _comparable(row.get(name))
            if value is None or wanted is None:
                return kind in EQUALITIES and compare(value, wanted)
            if type(value) is not type(wanted):
                raise BadQuery(f"no comparison of {name} in $filter={self._text}")
            return compare(value, wanted)

        return test

    def _takes(self, word: str) -> bool:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            if word in (token["word"], token["mark"]):
                self._next += 1
                return True
        return False

    def _token(self) -> re.Match[str]:
        if self._next >= len(self._tokens):
            raise self._bad()
        self._next += 1
        return self._tokens[self._next - 1]

    def _bad(self) -> BadQuery:
        return BadQuery(f"$filter={self._text}")


def _tokens(text: str) -> list[re.Match[str]]:
    found, end = [], 0
    while text[end:].strip():
        token = TOKEN.match(text, end)
        if token is None:
            raise BadQuery(f"$filter={text}")
        found.append(token)
        end = token.end()
    return found


def _constant(token: re.Match[str]) -> Any:
    """The token itself where it is none."""
    if token["number"]:
        return float(token["number"])
    if token["text"] is not None:
        text = token["text"].replace("''", "'")
        is_time = token["kind"] == "datetime"
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if is_time else text
    return CONSTANTS.get(token["word"] or "", token)


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("/Date("):
        return moment_of(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
