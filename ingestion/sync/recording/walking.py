"""Values of an answer, replaced where they stand: every other byte of it stays, broken ones too."""

from __future__ import annotations

import codecs
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["text", "number"]
# Takes the names above a value, the outermost first, the value, its kind, and its position: in the
# innermost list of a JSON, or among the elements of its name. Gives what takes the value's place. A text
# may become shorter or longer.
Replace = Callable[[tuple[str, ...], str, Kind, int], str]

JSON_TOKEN: Final = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)(?P<end>"|$)(?P<colon>\s*:)?'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=[\s,\]}]|$)"
    r'|(?P<mark>[{}\[\],])|(?P<word>[^\s{}\[\],":]+)',
    re.DOTALL,
)
JSON_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
WORDS: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
MARKUP: Final = re.compile(
    r"<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<data>.*?)\]\]>|<[?!][^>]*>"
    r"|<(?P<closes>/?)(?P<name>[^\s/<>]+)(?P<rest>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(?P<empty>/?)>"
    r"|(?P<text>[^<]+|<)",
    re.DOTALL,
)
ATTRIBUTE: Final = re.compile(r"([\w:.-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")
# What attributes say of their element, and not of anybody.
PLAIN_ATTRIBUTES: Final = frozenset(
    {"xmlns", "type", "nil", "null", "rel", "version", "encoding", "lang", "space", "etag"}
)
REFERENCE: Final = re.compile(r"&#x[0-9a-fA-F]+;|&#\d+;|&\w+;|.", re.DOTALL)
DECLARED: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)")
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Decoded:
    """An answer's text, and by which encoding it becomes the same bytes again."""

    text: str
    encoding: str

    @classmethod
    def of(cls, content: bytes, content_type: str = "") -> Decoded:
        for mark, encoding in MARKS:
            if content.startswith(mark):
                return cls._by(encoding, content) or cls(content.decode("latin-1"), "latin-1")
        declared = DECLARED.match(content[:200])
        named = re.search(r"charset\s*=\s*[\"']?([\w.-]+)", content_type)
        names = (named and named[1], declared and declared[1].decode(), "utf-8")
        found = (cls._by(name, content) for name in names if name)
        return next(filter(None, found), None) or cls(content.decode("latin-1"), "latin-1")

    @classmethod
    def _by(cls, encoding: str, content: bytes) -> Decoded | None:
        try:
            text = content.decode(encoding)
            return cls(text, encoding) if text.encode(encoding) == content else None
        except (UnicodeError, LookupError):
            return None

    def bytes_of(self, text: str) -> bytes:
        """``text`` in place of its own; a made-up letter that the encoding lacks becomes a ``?``."""
        return text.encode(self.encoding, "replace")


def replaced(text: str, replace: Replace) -> str:
    """JSON, XML, a web page, or any other text, which is one value then."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start in ("{", "["):
        return _json(text, replace)
    if start == "<":
        return _markup(text, replace)
    return replace((), text, "text", 0) if text.strip() else text


def _json(text: str, replace: Replace) -> str:
    names: list[str] = []  # of the objects and lists around
    positions: list[int] = []  # in each of them; in an object -1
    name = ""
    made: list[str] = []
    end = 0
    for token in JSON_TOKEN.finditer(text):
        made.append(text[end : token.start()])
        end = token.end()
        whole = token[0]
        if token["mark"]:
            _move(positions, whole)
            if whole in "{[":
                names.append(name)
            elif whole in "}]" and names:
                name = names.pop()
        elif token["colon"]:
            name = _plain(token["text"])
            whole = _name(name, token, replace)
        elif token["text"] is not None:
            inner = _inner(
                token["text"],
                JSON_ESCAPE,
                _json_character,
                _json_escaped,
                _call(replace, names, name, _position(positions)),
            )
            whole = f'"{inner}{token["end"]}'
        elif token["number"]:
            whole = replace(_path(names, name), whole, "number", _position(positions))
        elif whole not in WORDS:
            whole = replace(_path(names, name), whole, "text", _position(positions))
        made.append(whole)
    return "".join([*made, text[end:]])


def _move(positions: list[int], mark: str) -> None:
    if mark in "{[":
        positions.append(0 if mark == "[" else -1)
    elif mark in "}]" and positions:
        positions.pop()
    elif positions and positions[-1] >= 0:
        positions[-1] += 1


def _position(positions: list[int]) -> int:
    return next((position for position in reversed(positions) if position >= 0), 0)


def _path(names: list[str], name: str) -> tuple[str, ...]:
    return tuple(n for n in (*names, name) if n)


def _call(replace: Replace, names: list[str], name: str, position: int = 0) -> Callable[[str], str]:
    return lambda value: replace(_path(names, name), value, "text", position)


def _name(name: str, token: re.Match[str], replace: Replace) -> str:
    """The name of a field stays; one that is somebody's address or number is a value."""
    is_value = re.fullmatch(r"[^@]+@[^@]+|[+\d][\d\s().-]{4,}", name)
    shown = json.dumps(replace((), name, "text", 0))[1:-1] if is_value else token["text"]
    return f'"{shown}"{token["colon"]}'


def _inner(
    raw: str,
    pieces: re.Pattern[str],
    character: Callable[[str], str],
    escaped: Callable[[str, str], str],
    replace: Callable[[str], str],
) -> str:
    """A text whose characters may be written as references: each is written as before."""
    units = pieces.findall(raw)
    # Half a pair of surrogates is no text.
    plain = "".join(map(character, units)).encode("utf-8", "replace").decode()
    new = replace(plain)
    if new == plain:
        return raw
    if len(new) != len(plain) or len(plain) != len(units):
        return "".join(escaped("", c) for c in new)
    both = zip(units, plain, new, strict=True)
    return "".join(unit if c == old else escaped(unit, c) for unit, old, c in both)


def _json_character(unit: str) -> str:
    if len(unit) == 1:
        return unit
    try:
        return str(json.loads(f'"{unit}"'))
    except ValueError:
        return unit[1:]


def _json_escaped(unit: str, character: str) -> str:
    if len(unit) > 2 and ord(character) < 0x10000:
        return f"\\u{ord(character):04x}"
    return json.dumps(character, ensure_ascii=False)[1:-1]


def _plain(raw: str) -> str:
    return "".join(map(_json_character, JSON_ESCAPE.findall(raw)))


def _markup(text: str, replace: Replace) -> str:
    around = Around()
    return "".join(_piece(piece, around, replace) for piece in MARKUP.finditer(text))


@dataclass
class Around:
    """The open elements, and how many of each name each has so far; those of the whole text first."""

    names: list[str] = field(default_factory=list)
    inner: list[Counter[str]] = field(default_factory=lambda: [Counter()])

    @property
    def position(self) -> int:
        return self.inner[-2][self.names[-1]] - 1 if self.names else 0

    def open(self, name: str, *, is_empty: bool) -> None:
        self.inner[-1][name] += 1
        if not is_empty:
            self.names.append(name)
            self.inner.append(Counter())

    def close(self, name: str) -> None:
        if name in self.names:
            found = len(self.names) - 1 - self.names[::-1].index(name)
            del self.names[found:], self.inner[found + 1 :]


def _piece(piece: re.Match[str], around: Around, replace: Replace) -> str:
    inside = _call(replace, around.names, "", around.position)
    if piece["text"] is not None:
        return _referenced(piece[0], inside) if piece[0].strip() else piece[0]
    for part in ("comment", "data"):
        if piece[part]:
            return piece[0].replace(piece[part], inside(piece[part]))
    if piece["name"] is None:
        return piece[0]
    name = piece["name"].rpartition(":")[2]
    if piece["closes"]:
        around.close(name)
        return piece[0]
    path = [*around.names, name]
    rest = ATTRIBUTE.sub(lambda found: _attribute(found, path, replace), piece["rest"])
    around.open(name, is_empty=bool(piece["empty"]))
    return f"<{piece['name']}{rest}{piece['empty']}>"


def _attribute(found: re.Match[str], names: list[str], replace: Replace) -> str:
    name, equals, quoted = found.groups()
    local = name.rpartition(":")[2]
    if name.startswith("xmlns") or local in PLAIN_ATTRIBUTES:
        return found[0]
    inner = _referenced(quoted[1:-1], _call(replace, names, local))
    return f"{name}{equals}{quoted[0]}{inner}{quoted[-1]}"


def _referenced(raw: str, replace: Callable[[str], str]) -> str:
    return _inner(raw, REFERENCE, _xml_character, _xml_escaped, replace)


def _xml_character(unit: str) -> str:
    if len(unit) == 1:
        return unit
    # html.unescape makes nothing of characters that XML forbids.
    number = re.fullmatch(r"&#(?:x([0-9a-fA-F]+)|(\d+));", unit)
    if number:
        point = int(number[1], 16) if number[1] else int(number[2])
        return chr(point) if point < 0x110000 else unit
    return html.unescape(unit)


def _xml_escaped(unit: str, character: str) -> str:
    if unit.startswith("&#"):
        return f"&#{ord(character)};"
    return html.escape(character, quote=True)


def values_of(text: str) -> Iterator[tuple[tuple[str, ...], str, Kind, int]]:
    """Every value with the names above it, and its position, as for Replace."""
    found: list[tuple[tuple[str, ...], str, Kind, int]] = []

    def see(names: tuple[str, ...], value: str, kind: Kind, position: int) -> str:
        found.append((names, value, kind, position))
        return value

    replaced(text, see)
    return iter(found)
