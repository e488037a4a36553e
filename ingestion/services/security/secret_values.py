"""The secrets that this installation knows: the values of its settings that are credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.signals import setting_changed
from django.dispatch import receiver

from ingestion.conf import crm_environment, secret_settings
from ingestion.sync.common.registry import crms

# Shorter values ("test", "1234") are parts of too many words; they are masked where a credential
# stands, not everywhere.
SHORTEST_VALUE = 6
SHORTEST_LINE = 16
# Passwords that everybody knows, and that stand in ordinary texts as names.
WELL_KNOWN = re.compile(
    r"admin|administrator|changeme|default|development|django|example|guest|letmein|localhost|"
    r"mariadb|minioadmin|mysql|passwd|password|postgres|postgresql|rabbitmq|redis|sandbox|secret|"
    r"testing|warehouse|welcome",
    re.IGNORECASE,
)

SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|secret(?!ar)|credential|"
    r"(?:api|access|auth|private|secret|signing|encryption)[_\-.\s]?key|"
    r"(?:^|[_\-.\s])(?:pass(?:code)?|pwd|authorization|bearer|cookie|jwt|hapikey|user[_\-.\s]?key|"
    r"session[_\-.\s]?(?:id|key))(?:$|[_\-.\s\d])|"
    r"tokens?(?:$|[_\-.\s\d])",
    re.IGNORECASE,
)
# accessToken -> access_Token, so that a camel-cased name splits into its words.
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
USERINFO = re.compile(r"://[^:/]*:(?P<password>.+)@")


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """True for a name such as ``password``, ``api_key``, ``accessToken``."""
    return bool(SECRET_NAME.search(CAMEL.sub("_", name)))


@lru_cache(maxsize=1)
def known_secrets() -> tuple[str, ...]:
    """The values of all secret settings that are set, the longest first. Read once in a process:
    every text that is kept or shown asks for them.

    Without those that are public all the same. A database's password may be ``postgres``, like its
    user: to mask that word in every text would hide nothing and tell the password.
    """
    settings = tuple(_settings())
    urls = [value for value, _ in settings if "://" in value]
    public = {word.lower() for url in urls for word in _public_words(url)}
    found = {part for value, is_secret in settings if is_secret for part in _parts(value)}
    found |= {password for url in urls for password in _passwords(url)}
    kept = (value for value in found if not _is_public(value, public))
    return tuple(sorted(kept, key=lambda value: (-len(value), value)))


@receiver(setting_changed)
def _forget(**_changed: object) -> None:
    """Settings change in tests alone."""
    known_secrets.cache_clear()


def _settings() -> Iterator[tuple[str, bool]]:
    """Values that are secrets, and URLs that may hold one."""
    environment = crm_environment()
    for crm in crms().values():
        for setting in crm.settings:
            value = environment.get(setting.name)
            if value and (setting.secret or "://" in value):
                yield value, setting.secret
    yield from ((value, "://" not in value) for value in secret_settings())


def _is_public(value: str, public: Container[str]) -> bool:
    is_known = value.lower() in public or WELL_KNOWN.fullmatch(value) is not None
    return is_known or len(value) < SHORTEST_VALUE


def _parts(value: str) -> Iterator[str]:
    """A key may be a JSON object, or have several lines that are quoted one by one."""
    yield value.strip()
    for secret in _secret_members(_json_object(value)):
        yield from (secret, *_long_lines(secret))
    yield from _long_lines(value)


def _json_object(value: str) -> Mapping[str, Any]:
    try:
        found = json.loads(value) if value.lstrip().startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _secret_members(found: Mapping[str, Any]) -> Iterator[str]:
    for name, item in found.items():
        if isinstance(item, str) and is_secret_name(name):
            yield item
        elif isinstance(item, Mapping):
            yield from _secret_members(item)


def _long_lines(value: str) -> Iterator[str]:
    lines = value.strip().splitlines()
    if len(lines) > 1:
        yield from (
            line for line in lines if len(line) >= SHORTEST_LINE and not line.startswith("-----")
        )


def _passwords(url: str) -> Iterator[str]:
    """Also of a URL that cannot be read because its password is not quoted."""
    if found := USERINFO.search(url):
        yield from (found["password"], unquote(found["password"]))
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if password := parts.password:
        yield from (password, unquote(password))
    for option in parts.query.split("&"):
        name, _, value = option.partition("=")
        if value and is_secret_name(name):
            yield from (value, unquote(value))


def _public_words(url: str) -> Iterator[str]:
    """The names in a URL that may be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    names = (parts.scheme, parts.username, parts.hostname, parts.path.strip("/"))
    yield from (name for name in names if name)
