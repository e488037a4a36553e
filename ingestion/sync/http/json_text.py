"""Reads JSON without changing a digit, and without giving up at what strict readers refuse."""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from ingestion.sync.http.decoding import decoded

_MARKS_OF_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A number, not a text, of so many digits may be more than a double or 64 bits hold.
_LONG_NUMBER: Final = re.compile(rb"[:\[,]\s*-?[0-9][0-9.]{15}")


def parse_json(content: bytes, charset: str | None = None) -> Any:
    """``charset``: what the answer's Content-Type names, for a text that is no UTF-8, as JSON should
    be. Long numbers come as int or Decimal. Half a surrogate pair stays in its text; NaN and Infinity,
    which JSON does not have, are no value. Raises ValueError."""
    if not _LONG_NUMBER.search(content):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    text = _text(content, charset)
    return json.loads(text, parse_float=_number, parse_constant=lambda name: None)


def _text(content: bytes, charset: str | None) -> str:
    try:
        return content.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError:
        if charset is None and not content.startswith(_MARKS_OF_UTF16):
            raise
        return decoded(content, charset)


def _number(text: str) -> float | Decimal:
    """A double where it is the number that was written."""
    found = float(text)
    exact = Decimal(text)
    return found if Decimal(repr(found)) == exact else exact
