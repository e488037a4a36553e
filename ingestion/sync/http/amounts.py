"""Amounts as people write them: with a currency, thousands in groups, a minus as parentheses."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SPACES: Final = "\u0020\u00a0\u2009\u202f"
_CURRENCY: Final = (
    r"(?:[A-Z]{1,3}[$]|[A-Z]{3}|[$\u20ac\u00a3\u00a5\u20b9\u20a9\u20aa\u20ba\u20bd\u20b1\u20b4\u20ab\u00a2]"
    r"|kr\.?|z\u0142|K\u010d|Ft|Fr\.?|lei|Rs\.?)"
)
_SIGN: Final = r"[+\-\u2212]"


def amount(text: str, *, decimal: str = ".", group: str = ",") -> Decimal | None:
    """The number that is written; None where it is none. ``decimal``, ``group``: the signs of the
    locale. Spaces and apostrophes group everywhere. Groups have three digits, or two before the
    last as in India: ``12,50`` is no 1250. ``(1,234.50)`` is how books write -1234.50."""
    bare, is_negative = _without_parentheses(text.strip())
    found = _pattern(decimal, group).fullmatch(bare)
    if found is None:
        return None
    signs = [*("-" if is_negative else ""), *found["before"], *found["after"]]
    if len(signs) > 1:
        return None
    digits = re.sub(rf"[^\d{re.escape(decimal)}]", "", found["digits"]).replace(decimal, ".")
    number = Decimal(f"{digits}{found['exponent'] or ''}")
    return number if signs in ([], ["+"]) else -number


def _without_parentheses(text: str) -> tuple[str, bool]:
    """``(5)``, ``$(5)`` and ``(5) USD`` mean the same."""
    found = re.fullmatch(rf"({_CURRENCY}?)\s*\((.*)\)\s*({_CURRENCY}?)", text)
    return (f"{found[1]}{found[2].strip()}{found[3]}", True) if found else (text, False)


def _pattern(decimal: str, group: str) -> re.Pattern[str]:
    """Compiled once for each locale: ``re`` keeps what it has compiled."""
    point = re.escape(decimal)
    grouped = "|".join(
        rf"\d{{1,3}}(?:{sign}\d{{2,3}})*{sign}\d{{3}}"
        for sign in (re.escape(group), f"[{_SPACES}]", "['\u2019]")
    )
    return re.compile(
        rf"(?P<before>{_SIGN}?)\s*{_CURRENCY}?\s*(?P<after>{_SIGN}?)\s*"
        rf"(?P<digits>(?:{grouped}|\d+)(?:{point}\d*)?|{point}\d+)"
        rf"(?P<exponent>[eE][+-]?\d{{1,3}})?\s*{_CURRENCY}?"
    )
