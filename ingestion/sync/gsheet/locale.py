"""A spreadsheet's locale: how its people write numbers and dates, and the zone of its times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import get_date_format, get_month_names
from babel.numbers import get_decimal_symbol, get_group_symbol

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.gsheet.settings import DATE_ORDER, TIME_ZONE
from ingestion.sync.http.amounts import amount

ORDERS = ("mdy", "dmy", "ymd")
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class SheetLocale:
    """``date_order``: which of 3/4/2026's parts comes first, one of ORDERS."""

    zone: ZoneInfo
    date_order: str = "mdy"
    decimal: str = "."
    group: str = ","
    months: tuple[str, ...] = ()  # as words begin that name one, in small letters

    @classmethod
    def of(cls, properties: Mapping[str, Any], settings: Mapping[str, str]) -> SheetLocale:
        """``properties``: the spreadsheet's. A setting that is not empty stands above them.
        Raises PermanentError for a setting that is none."""
        locale = _known(str(properties.get("locale") or "en_US"))
        order = settings[DATE_ORDER] or _order(locale)
        if order not in ORDERS:
            raise PermanentError(f"{DATE_ORDER} is {order!r}; it must be {', '.join(ORDERS)}.")
        named = {TIME_ZONE: settings[TIME_ZONE] or str(properties.get("timeZone") or "UTC")}
        return cls(
            time_zone(named, TIME_ZONE),
            order,
            get_decimal_symbol(locale),
            get_group_symbol(locale),
            tuple(name.strip(".").casefold() for name in _months(locale)),
        )

    def number(self, text: str) -> Decimal | None:
        """What the text says; ``5%`` is 0.05, as a cell holds it."""
        bare = text.strip()
        if not bare.endswith("%"):
            return amount(bare, decimal=self.decimal, group=self.group)
        found = amount(bare[:-1], decimal=self.decimal, group=self.group)
        return None if found is None else found / HUNDRED

    def names_month(self, text: str) -> bool:
        words = re.findall(r"[^\W\d_]+", text.casefold())
        return any(word.startswith(self.months) for word in words)


def _months(locale: Locale) -> Iterable[str]:
    """Without those that are mere numbers, as in Chinese."""
    names = get_month_names("abbreviated", locale=locale).values()
    return (name for name in names if name.strip(".").isalpha())


def _known(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en", "US")


def _order(locale: Locale) -> str:
    pattern = get_date_format("short", locale).pattern.lower()
    return "".join(sorted("ymd", key=pattern.find))
