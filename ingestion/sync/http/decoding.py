"""Bytes as text, where what is said of their encoding may be wrong."""

from __future__ import annotations

import codecs
from typing import Final

import requests

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(content: bytes, charset: str | None = None, *, declared: str | None = None) -> str:
    """By the byte order mark; else by ``charset``, which the answer's Content-Type names, where that
    is UTF-8; else by what the text itself has ``declared``; else as UTF-8, by any other charset, and
    as Windows writes Western texts: the first of these that fits."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    named = _known(charset)
    first = "utf-8" if named == "utf-8" else None
    for wanted in filter(None, (first, _known(declared), "utf-8", named)):
        try:
            return content.decode(wanted)
        except UnicodeDecodeError:
            continue
    return content.decode("cp1252", "replace")


def charset_of(response: requests.Response) -> str | None:
    """The charset that the answer's Content-Type names; requests would make one up."""
    _, _, rest = response.headers.get("Content-Type", "").partition(";")
    named = (part.partition("=") for part in rest.split(";"))
    found = (value.strip(" \"'") for name, _, value in named if name.strip().lower() == "charset")
    return next(found, None)


def _known(name: str | None) -> str | None:
    try:
        return codecs.lookup(name).name if name else None
    except LookupError:
        return None
