"""The file of a recording: JSON that a person can read before it is handed over."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

from ingestion.sync.common.errors import PermanentError

FORMAT: Final = "crm-recording"
VERSION: Final = 1
# In place of a base URL; the name of its setting follows.
BASE: Final = "https://recorded.invalid/"
T = TypeVar("T")


class BundleDamaged(PermanentError):
    """The file is no recording, or not a whole one."""


@dataclass(frozen=True)
class Asked:
    """A request. ``base``: the setting that names the place of ``path``; empty for another place.
    ``query``: names and values, sorted. ``operation`` as in ``Exchange``."""

    method: str
    base: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str = ""
    operation: str = ""


def plain_path(path: str) -> str:
    """Quoted in one way, without a slash at its end."""
    return "/".join(quote(unquote(piece), safe="") for piece in path.split("/")).rstrip("/")


@dataclass(frozen=True)
class Answered:
    """``body`` in ``encoding``, which is ``base64`` where it is no text."""

    status: int
    headers: Mapping[str, str]
    body: str
    encoding: str

    def content(self, bases: Mapping[str, str]) -> bytes:
        """As it is sent; ``bases``: the URL that takes the place of each setting's."""
        if self.encoding == "base64":
            return base64.b64decode(self.body)
        text = self.body
        for name, url in bases.items():
            text = text.replace(BASE + name, url).replace(_in_json(BASE + name), _in_json(url))
        return text.encode(self.encoding, "replace")


@dataclass(frozen=True)
class Recorded:
    asked: Asked
    answered: Answered


@dataclass(frozen=True)
class Bundle:
    """``settings``: those that are no secret, as far as they differ from their defaults. ``options``:
    how the sync was run, as flags of its command. ``outcome``: what the run came to."""

    crm: str
    model: str
    recorded_at: str
    options: tuple[str, ...]
    settings: Mapping[str, str]
    outcome: str
    exchanges: tuple[Recorded, ...] = field(repr=False)

    def to_text(self) -> str:
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Bundle:
        """Raises BundleDamaged."""
        try:
            content = json.loads(text)
        except ValueError as damage:
            raise BundleDamaged(
                f"it is no JSON, or breaks off ({damage.__class__.__name__})"
            ) from None
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise BundleDamaged("it is no recording of record_crm")
        if (version := content.pop("version", None)) != VERSION:
            raise BundleDamaged(f"its version is {version!r}, and this program reads {VERSION}")
        exchanges = _list(content.get("exchanges"), "exchanges")
        found = {
            **content,
            "options": _texts(content.get("options"), "options"),
            "exchanges": tuple(_recorded(e, f"exchange {n}") for n, e in enumerate(exchanges, 1)),
        }
        return _made(cls, found, "it")


def read_bundle(path: Path) -> Bundle:
    """Raises BundleDamaged, with the file's name."""
    try:
        return Bundle.from_text(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise BundleDamaged(f"{path} cannot be read: {why}.") from None
    except BundleDamaged as damage:
        raise BundleDamaged(f"{path} cannot be played: {damage}; ask for the file again.") from None


def _recorded(content: Any, place: str) -> Recorded:
    parts = content if isinstance(content, dict) else {}
    asked, answered = parts.get("asked"), parts.get("answered")
    if not isinstance(asked, dict) or not isinstance(answered, dict):
        raise BundleDamaged(f"{place} has no request or no answer")
    query = [_texts(pair, place) for pair in _list(asked.get("query"), place)]
    if any(len(pair) != 2 for pair in query):
        raise BundleDamaged(f"{place} has a query that is none")
    made = Recorded(
        _made(Asked, {**asked, "query": tuple(query)}, place), _made(Answered, answered, place)
    )
    try:
        made.answered.content({})
    except (LookupError, binascii.Error):
        raise BundleDamaged(f"{place} has a body that cannot be read") from None
    return made


def _made(kind: type[T], content: Mapping[str, Any], place: str) -> T:
    """Raises BundleDamaged unless every field is there and of its type."""
    types = {f.name: str(f.type) for f in fields(kind)}  # type: ignore[arg-type]
    if wrong := sorted(types.keys() ^ content.keys()):
        raise BundleDamaged(f"{place} lacks or adds {', '.join(wrong)}")
    for name, value in content.items():
        wanted = {"str": str, "int": int}.get(types[name])
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise BundleDamaged(f"{place} has no {types[name]} as {name}")
        if types[name].startswith("Mapping") and not _is_mapping(value):
            raise BundleDamaged(f"{place} has no texts as {name}")
    return kind(**content)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise BundleDamaged(f"{place} has no list where one has to be")
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    found = _list(value, place)
    if not all(isinstance(text, str) for text in found):
        raise BundleDamaged(f"{place} has something else than texts")
    return tuple(found)


def _in_json(url: str) -> str:
    """As PHP writes it."""
    return url.replace("/", "\\/")
