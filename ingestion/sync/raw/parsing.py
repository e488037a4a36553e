"""Answers as plain values: numbers exact, texts as they were sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from lxml import etree

from ingestion.sync.common.source import Heard

_CHARSET: Final = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
# What XML 1.0 does not allow, written out and as a reference.
_CONTROLS: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]));"
)


def json_of(content: bytes, content_type: str = "") -> Any:
    """None for what is no JSON. NaN and Infinity, which no table holds, are None too."""
    try:
        text = content.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError:
        text = content.decode(charset_of(content_type) or "utf-16", "replace")
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=lambda name: None)
    except ValueError:
        return None


def xml_of(content: bytes, content_type: str = "") -> etree._Element | None:
    """The root; None for what is no XML. Nothing is fetched and no entity is followed."""
    charset = charset_of(content_type)
    is_utf_8 = (charset or "").lower() in ("utf-8", "utf8")
    bare = _CONTROLS.sub(b"", content) if b"\x00" not in content[:4] else content
    for encoding in ("utf-8" if is_utf_8 else None, None, "cp1252"):
        try:
            parser = etree.XMLParser(
                encoding=encoding,
                resolve_entities=False,
                no_network=True,
                remove_comments=True,
                remove_pis=True,
                huge_tree=True,
            )
            return etree.fromstring(bare, parser)
        except (etree.XMLSyntaxError, LookupError, ValueError):
            continue
    return None


def charset_of(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    return found[1] if found else None


def path_of(answer: Heard) -> str:
    return urlsplit(answer.target).path


def query_of(answer: Heard) -> Mapping[str, str]:
    return dict(parse_qsl(urlsplit(answer.target).query))


def objects_at(found: Any, *names: str) -> Iterator[dict[str, Any]]:
    """The objects of the list below ``names``; none where there is no such list."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, dict))
