"""Makes a bundle of what was exchanged: without secrets, and with made-up values in place of people's.

Everything is replaced but what is known to be needed: the structure, times, keys, and what the CRM's
table names as ``steering``. What equals a value that stays, stays too; so does what a request says before
any answer has said it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ingestion.sync.common.source import Crm, Exchange, Setting
from ingestion.sync.recording.bundle import BASE, Answered, Asked, Recorded, plain_path
from ingestion.sync.recording.made_up import MadeUp
from ingestion.sync.recording.times import BIRTHS, birthday, day_numbers, is_time
from ingestion.sync.recording.walking import Decoded, Kind, Replace, replaced, values_of

KEPT_HEADERS: Final = ("content-type", "retry-after")
LIMIT_HEADERS: Final = ("ratelimit", "rate-limit")
EXAMPLES: Final = 3
SHOWN_CHARACTERS: Final = 60
SHORTEST_SECRET: Final = 4
SHORTEST_NUMBER: Final = 6
BIRTHDAY: Final = "birthday"


@dataclass
class Seen:
    """How many values a field had, and what some of them became: themselves, where they stay."""

    count: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, before: str, after: str) -> None:
        self.count += 1
        if before not in self.examples and len(self.examples) < EXAMPLES:
            self.examples[before[:SHOWN_CHARACTERS]] = after[:SHOWN_CHARACTERS]


@dataclass
class Replacing:
    """``settings``: of the CRM. Afterwards ``stays`` and ``goes`` have the fields, by name."""

    crm: Crm
    settings: Mapping[str, str]
    made_up: MadeUp = field(default_factory=MadeUp)
    stays: dict[str, Seen] = field(default_factory=dict)
    goes: dict[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        crm = self.crm
        self._fields = {n for n in crm.steering if not _is_pattern(n)}
        self._paths = [n for n in crm.steering if _is_pattern(n)]
        self._keys = {name for m in crm.models for name in (*m.key, m.cursor) if name}
        self._kept = {name for m in crm.models for name in m.columns}
        self._replaced: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._days: set[int] = set()
        self._births: set[int] = set()  # positions in lists that name no field
        self._bases = _bases(crm.settings, self.settings)
        self._secrets = {s: self.made_up.text(s) for s in _secrets(crm.settings, self.settings)}
        for name in (s.name for s in crm.settings if _names_an_account(s)):
            if value := self.settings.get(name):
                self._replaced[value] = self._accounts[value] = self.made_up.text(value)

    def recorded(self, exchanges: Sequence[Exchange]) -> tuple[Recorded, ...]:
        answers = [_decoded(e) for e in exchanges]
        self._births = {n for answer in answers for n in self._positions_of_births(answer.text)}
        seen: set[str] = set()
        for exchange, answer in zip(exchanges, answers, strict=True):
            self._kept |= _own_words(exchange) - seen - self._accounts.keys()
            seen |= self._learn(exchange, answer.text)
        answered = [self._answered(*pair) for pair in zip(exchanges, answers, strict=True)]
        asked = [self._asked(exchange) for exchange in exchanges]
        return tuple(map(Recorded, asked, answered))

    def bundled_settings(self) -> dict[str, str]:
        """Those that a replay has to be run with: no secret, no URL, no path of this machine."""
        found: dict[str, str] = {}
        for setting in self.crm.settings:
            value = self.settings.get(setting.name, "")
            is_own = value and value != setting.default and not setting.secret
            if is_own and not _is_url(value) and not value.startswith(("/", "~", "{")):
                found[setting.name] = self._without_secrets(self._replaced.get(value, value))
        return found

    def has_secret(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets)

    def _positions_of_births(self, text: str) -> Iterator[int]:
        for names, value, _, position in values_of(text):
            if self._is_listed(names) and BIRTHS.search(value):
                yield position

    def _is_listed(self, names: tuple[str, ...]) -> bool:
        return bool(names) and names[-1] in self.crm.listed

    def _name(self, names: tuple[str, ...], position: int) -> str:
        """That of a field, or what is known of it where values stand in a list."""
        if self._is_listed(names) and position in self._births:
            return BIRTHDAY
        return names[-1] if names else ""

    def _learn(self, exchange: Exchange, text: str) -> set[str]:
        """Keeps values that stay wherever they stand; all values of the answer."""
        is_whole, found = self._is_steering(exchange), set[str]()
        for names, value, _, position in values_of(text):
            found.add(value)
            if self.crm.counts_days and is_time(self._name(names, position), value):
                self._days |= day_numbers(value)
            if is_whole or self._stays_by_name(names, value):
                self._kept.add(value)
        return found

    def _is_steering(self, exchange: Exchange) -> bool:
        path = unquote(urlsplit(exchange.url).path)
        return any(fnmatchcase(path, pattern) for pattern in self._paths)

    def _stays_by_name(self, names: tuple[str, ...], value: str) -> bool:
        """A key that is an address is somebody's."""
        is_key = bool(names) and names[-1] in self._keys and "@" not in value
        return is_key or not self._fields.isdisjoint(names)

    def _answered(self, exchange: Exchange, answer: Decoded) -> Answered:
        is_whole = self._is_steering(exchange)
        text = replaced(answer.text, self._replacer(is_whole=is_whole))
        headers = {n: v for n, v in exchange.headers.items() if _is_kept_header(n)}
        return Answered(exchange.status, headers, self._without_secrets(text), answer.encoding)

    def _replacer(self, *, is_whole: bool) -> Replace:
        def replace(names: tuple[str, ...], value: str, kind: Kind, position: int) -> str:
            stays = is_whole or self._stays_by_name(names, value)
            new = self._value(self._name(names, position), value, kind, stays=stays)
            if value.strip():
                noted = self.stays if new == value else self.goes
                noted.setdefault(names[-1] if names else "(text)", Seen()).add(value, new)
            return new

        return replace

    def _value(self, name: str, value: str, kind: Kind, *, stays: bool) -> str:
        if based := self._based(value):
            return based
        if value in self._replaced:
            return self._replaced[value]
        if stays or value in self._kept or is_time(name, value.strip()):
            return value
        if kind == "number" and self._is_shown_day(value):
            return value
        if kind == "text" and _is_json(value):
            return replaced(value, self._replacer(is_whole=False))
        day = birthday(name, value)
        made = self.made_up.day(day) + value[len(day) :] if day else self.made_up.text(value)
        if made != value:
            self._replaced[value] = made
        return made

    def _is_shown_day(self, value: str) -> bool:
        """Whether it is the number of a day, with or without a time, that another answer shows."""
        whole = value.partition(".")[0]
        return whole.isdecimal() and int(whole) in self._days

    def _based(self, value: str) -> str | None:
        """A URL of the CRM itself, such as a link to the next page."""
        if not _is_url(value):
            return None
        base, path = self._place(value)
        if not base:
            return None
        parts = urlsplit(path)
        query = f"?{urlencode(self._query(parts.query))}" if parts.query else ""
        return BASE + base + self._path(parts.path) + query

    def _place(self, url: str) -> tuple[str, str]:
        """The setting that a URL begins with, and the rest of it; of another place "" and its path."""
        found = [(name, base) for name, base in self._bases.items() if _begins(url, base)]
        if not found:
            parts = urlsplit(url)
            return "", f"{parts.path}?{parts.query}" if parts.query else parts.path
        name, base = max(found, key=lambda pair: len(pair[1]))
        return name, url[len(base) :]

    def _asked(self, exchange: Exchange) -> Asked:
        base, rest = self._place(exchange.url)
        parts = urlsplit(rest)
        body = _text_of(exchange.sent)
        return Asked(
            exchange.method,
            base,
            self._without_secrets(self._path(parts.path)),
            tuple(sorted(self._query(parts.query))),
            self._without_secrets(replaced(body, self._same) if body else ""),
            exchange.operation,
        )

    def _path(self, path: str) -> str:
        pieces = (quote(self._told(unquote(piece)), safe="") for piece in path.split("/"))
        return plain_path("/".join(pieces))

    def _query(self, query: str) -> list[tuple[str, str]]:
        pairs = parse_qsl(query, keep_blank_values=True)
        return [(name, self._without_secrets(self._told(value))) for name, value in pairs]

    def _told(self, value: str) -> str:
        """What a request names: made-up, where an answer's same value is. A small number is the size of
        a page, or its number, and equals a value by chance."""
        is_small = value.isdecimal() and len(value) < SHORTEST_NUMBER
        if value in self._accounts:
            return self._accounts[value]
        return value if value in self._kept or is_small else self._replaced.get(value, value)

    def _same(self, _names: tuple[str, ...], value: str, _kind: Kind, _position: int) -> str:
        return self._told(value)

    def _without_secrets(self, text: str) -> str:
        for secret, made in self._secrets.items():
            for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
                text = text.replace(form, made)
        return text


def _decoded(exchange: Exchange) -> Decoded:
    kinds = (v for n, v in exchange.headers.items() if n.lower() == "content-type")
    return Decoded.of(exchange.content, next(kinds, ""))


def _own_words(exchange: Exchange) -> set[str]:
    """What a request holds. Before an answer has held it, it is the sync's own: a query, a limit."""
    parts = urlsplit(exchange.url)
    pieces = map(unquote, parts.path.split("/"))
    query = (value for _, value in parse_qsl(parts.query, keep_blank_values=True))
    return {*pieces, *query, *(value for _, value, *_ in values_of(_text_of(exchange.sent)))}


def _text_of(sent: bytes) -> str:
    return Decoded.of(sent).text


def _is_pattern(name: str) -> bool:
    return "/" in name or "*" in name


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _begins(url: str, base: str) -> bool:
    return url.startswith(base) and url[len(base) : len(base) + 1] in ("", "/", "?")


def _bases(settings: Iterable[Setting], values: Mapping[str, str]) -> dict[str, str]:
    found = {s.name: values.get(s.name, "").strip().rstrip("/") for s in settings}
    return {name: value for name, value in found.items() if _is_url(value)}


def _names_an_account(setting: Setting) -> bool:
    """What a CRM's own settings identify: an account, a spreadsheet, a user."""
    return setting.required and not setting.secret and not setting.default


def _secrets(settings: Iterable[Setting], values: Mapping[str, str]) -> list[str]:
    """Longest first; the parts of a secret that is JSON count each."""
    found: list[str] = []
    for value in (values.get(s.name, "") for s in settings if s.secret):
        found += [value, *(_texts_in(json.loads(value)) if _is_json(value) else ())]
    wanted = {v for v in found if len(v) >= SHORTEST_SECRET and not _is_url(v)}
    return sorted(wanted, key=len, reverse=True)


def _texts_in(content: Any) -> list[str]:
    return [v for v in content.values() if isinstance(v, str)] if isinstance(content, dict) else []


def _is_kept_header(name: str) -> bool:
    low = name.lower()
    return low in KEPT_HEADERS or any(part in low for part in LIMIT_HEADERS)
