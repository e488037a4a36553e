"""XML as some programs write it: in another encoding than they say, and with characters that
XML 1.0 does not allow."""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from ingestion.sync.http.decoding import decoded

_DECLARATION: Final = re.compile(r"^\s*<\?xml\s[^>]*?\?>")
_ENCODING: Final = re.compile(rb"^\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
_REFERENCE: Final = re.compile(r"&#(x[0-9a-fA-F]{1,8}|[0-9]{1,9});")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def allowed_xml(content: bytes, charset: str | None = None) -> bytes:
    """The document in UTF-8, without a declaration and without forbidden characters: one in one
    record would hide all others. ``charset``: what the answer's Content-Type names."""
    declared = _ENCODING.match(content)
    text = decoded(content, charset, declared=declared[1].decode() if declared else None)
    bare = _FORBIDDEN.sub("", _DECLARATION.sub("", text, count=1))
    return _REFERENCE.sub(_allowed, bare).encode()


def parse_xml(content: bytes, charset: str | None = None) -> Any:
    """The root element. Nothing is fetched and no entity is followed. Raises XMLSyntaxError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(allowed_xml(content, charset), parser)


def _allowed(found: re.Match[str]) -> str:
    told = found[1]
    code = int(told[1:], 16) if told.startswith("x") else int(told)
    is_allowed = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
    return found[0] if is_allowed or 0x10000 <= code <= 0x10FFFF else ""
