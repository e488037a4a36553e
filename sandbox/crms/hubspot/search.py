"""HubSpot's search: filter groups, sorts, and the limits of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from sandbox.crms.hubspot.portal import Item

MAX_LIMIT = 200
MAX_RESULTS = 10_000
MAX_GROUPS, MAX_FILTERS_IN_GROUP, MAX_FILTERS = 5, 6, 18
MAX_QUERY_LENGTH = 3000

Value = int | Decimal | str
Test = Callable[[Item], bool]


class BadSearch(ValueError):
    """The message is what HubSpot answers with a 400; ``property_name``: the one that is wrong."""

    def __init__(self, message: str, *, property_name: str | None = None) -> None:
        super().__init__(message)
        self.property_name = property_name


@dataclass(frozen=True)
class Search:
    """A checked search. ``kinds``: the type of each property of the object type."""

    body: Mapping[str, Any]
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, body: Mapping[str, Any], kinds: Mapping[str, str]) -> Search:
        """Raises BadSearch."""
        search = cls(body, kinds)
        search._check_size()
        search._check_page()
        search._check_sorts()
        _ = search.matches  # a filter that cannot be read is refused too
        return search

    @property
    def limit(self) -> int:
        return int(self.body.get("limit", 10))

    @property
    def offset(self) -> int:
        return int(self.body.get("after") or 0)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.body.get("properties") or ())

    def split_above(self) -> tuple[Search, int]:
        """The search without its filter ``hs_object_id GT n`` and that n, where it walks through
        its results by id; else itself and 0. All pages of such a walk share one result."""
        groups, sorts = self.body.get("filterGroups") or [], self.body.get("sorts") or []
        filters = groups[0].get("filters", []) if len(groups) == 1 else []
        above = [f for f in filters if (f["propertyName"], f["operator"]) == ("hs_object_id", "GT")]
        is_walk = len(above) == 1 and [_rule(rule) for rule in sorts] == [("hs_object_id", False)]
        if not is_walk:
            return self, 0
        rest = [f for f in filters if f is not above[0]]
        body = {**self.body, "filterGroups": [{"filters": rest}] if rest else []}
        return Search(body, self.kinds), int(above[0]["value"])

    @cached_property
    def matches(self) -> Test:
        """True for an item that any filter group lets through."""
        groups = [
            [self._test(f) for f in group.get("filters", ())]
            for group in self.body.get("filterGroups") or ()
        ]
        text = str(self.body.get("query") or "").lower()

        def is_found(item: Item) -> bool:
            if text and not any(text in (v or "").lower() for v in item.properties.values()):
                return False
            return not groups or any(all(test(item) for test in group) for group in groups)

        return is_found

    def sort(self, items: list[Item]) -> list[Item]:
        """By the one sort rule, else by id; items without a value come last."""
        for rule in self.body.get("sorts") or ():
            name, is_down = _rule(rule)
            having = [i for i in items if i.properties.get(name) not in (None, "")]
            lacking = [i for i in items if i.properties.get(name) in (None, "")]
            having.sort(key=lambda i: self._value(name, i), reverse=is_down)  # type: ignore[arg-type,return-value]
            return having + lacking
        return sorted(items, key=lambda item: item.id)

    def _check_size(self) -> None:
        groups = self.body.get("filterGroups") or []
        sizes = [len(group.get("filters", ())) for group in groups]
        if len(groups) > MAX_GROUPS:
            raise BadSearch(f"Too many filter groups: at most {MAX_GROUPS} are allowed")
        if sum(sizes) > MAX_FILTERS or max(sizes, default=0) > MAX_FILTERS_IN_GROUP:
            raise BadSearch(
                f"Too many filters: at most {MAX_FILTERS_IN_GROUP} in a group, {MAX_FILTERS} in all"
            )
        if len(str(self.body.get("query") or "")) > MAX_QUERY_LENGTH:
            raise BadSearch(f"The query is longer than {MAX_QUERY_LENGTH} characters")

    def _check_page(self) -> None:
        if not 0 < self.limit <= MAX_LIMIT:
            raise BadSearch(f"limit must be between 1 and {MAX_LIMIT}")
        if self.offset + self.limit > MAX_RESULTS:
            raise BadSearch(f"Paging past {MAX_RESULTS} results is not allowed")

    def _check_sorts(self) -> None:
        sorts = self.body.get("sorts") or []
        if len(sorts) > 1:
            raise BadSearch("Only one sort rule is allowed")
        for rule in sorts:
            self._kind(_rule(rule)[0])

    def _kind(self, name: object) -> str:
        if name not in self.kinds:
            raise BadSearch(f"There is no property {name}", property_name=str(name))
        return self.kinds[str(name)]

    def _value(self, name: str, item: Item) -> Value | None:
        return _parsed(self._kind(name), item.properties.get(name))

    def _test(self, condition: Mapping[str, Any]) -> Test:
        name, operator = condition.get("propertyName"), condition.get("operator")
        kind = self._kind(name)
        if operator == "HAS_PROPERTY":
            return lambda item: item.properties.get(str(name)) not in (None, "")
        if operator == "NOT_HAS_PROPERTY":
            return lambda item: item.properties.get(str(name)) in (None, "")
        test = _comparison(str(operator), kind, condition)

        def is_met(item: Item) -> bool:
            value = _parsed(kind, item.properties.get(str(name)))
            return value is not None and test(value)

        return is_met


def _comparison(operator: str, kind: str, condition: Mapping[str, Any]) -> Callable[[Any], bool]:
    if operator in ("IN", "NOT_IN"):
        # Strings are compared in lower case, and the operands have to be in lower case.
        values = {_operand(kind, v, keep_case=True) for v in condition.get("values") or ()}
        return lambda value: (value in values) is (operator == "IN")
    one = _operand(kind, condition.get("value"))
    match operator:
        case "EQ":
            return lambda value: bool(value == one)
        case "NEQ":
            return lambda value: bool(value != one)
        case "LT":
            return lambda value: bool(value < one)
        case "LTE":
            return lambda value: bool(value <= one)
        case "GT":
            return lambda value: bool(value > one)
        case "GTE":
            return lambda value: bool(value >= one)
        case "BETWEEN":
            high = _operand(kind, condition.get("highValue"))
            return lambda value: bool(one <= value <= high)
        case "CONTAINS_TOKEN":
            return lambda value: _has_token(value, str(one))
        case "NOT_CONTAINS_TOKEN":
            return lambda value: not _has_token(value, str(one))
    raise BadSearch(f"{operator} is not a valid operator")


def _has_token(value: object, pattern: str) -> bool:
    tokens: Sequence[str] = re.split(r"[^\w]+", str(value).lower())
    return any(fnmatchcase(token, pattern.lower()) for token in (*tokens, str(value).lower()))


def _operand(kind: str, text: object, *, keep_case: bool = False) -> Any:
    if text is None:
        raise BadSearch("A filter has no value")
    try:
        value = _parsed(kind, str(text))
    except (ValueError, InvalidOperation):
        raise BadSearch(f"{text} is not a valid value for a property of type {kind}") from None
    return str(text) if keep_case and isinstance(value, str) else value


def _parsed(kind: str, text: str | None) -> Value | None:
    """Times as epoch milliseconds, numbers as numbers, anything else in lower case."""
    if text is None or text == "":
        return None
    if kind in ("datetime", "date"):
        return int(text) if text.lstrip("-").isdigit() else _milliseconds(text)
    return Decimal(text) if kind == "number" else text.lower()


def _milliseconds(text: str) -> int:
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def _rule(rule: object) -> tuple[str, bool]:
    """The property and whether it runs down; a plain string is a property, too."""
    if isinstance(rule, Mapping):
        return str(rule.get("propertyName")), rule.get("direction") == "DESCENDING"
    return str(rule), False
