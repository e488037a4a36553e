"""Finds secrets in parameters and masks them in texts. Every text that is kept or shown passes here.

Two things count as a secret: the value of a setting that is one (a CRM's credentials, the
password of a URL, Django's key), and whatever stands where a credential stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ingestion.services.security.secret_forms import HINTS, PATTERNS, pattern_of
from ingestion.services.security.secret_values import is_secret_name, known_secrets

__all__ = ["MASK", "find_secret", "is_secret_name", "known_secrets", "mask"]

MASK = "***"
LONGEST_SECRET = 2000
LONGEST_READ = 20_000
SHORT = 64


def mask(text: str) -> str:
    """``text`` with every secret replaced by ``***``."""
    return _masked(text, known_secrets())


def mask_error(text: str) -> str:
    """The beginning of an error's text, masked: to look for secrets in megabytes takes minutes."""
    return mask(beginning(text, LONGEST_READ))


def beginning(text: str, longest: int) -> str:
    """So much of a text, without what may be half a secret at its end."""
    if len(text) <= longest:
        return text
    sure = text[: longest - LONGEST_SECRET]
    rest = text[len(sure) : longest].rsplit(maxsplit=1)
    return sure + (rest[0] if len(rest) > 1 else "")


def mask_json(value: Any) -> Any:
    """A JSON value with every secret in it replaced: in texts, and texts under the name of one."""
    return _masked_json(value, known_secrets(), is_secret=False)


def find_secret(value: Any, *, path: str = "") -> str | None:
    """Where in a JSON value a secret stands, e.g. ``auth.password``; None if nowhere."""
    if isinstance(value, Mapping):
        return _first(_in_entry(name, item, path) for name, item in value.items())
    if isinstance(value, list | tuple):
        return _first(find_secret(item, path=f"{path}[{n}]") for n, item in enumerate(value))
    if isinstance(value, str) and mask(value) != value:
        return path or "value"
    return None


def _masked(text: str, values: Sequence[str]) -> str:
    return _masked_again(text, values) if len(text) <= SHORT else _searched(text, values)


@lru_cache(maxsize=4096)
def _masked_again(text: str, values: Sequence[str]) -> str:
    """Names of routes, workers and people come with every task."""
    return _searched(text, values)


def _searched(text: str, values: Sequence[str]) -> str:
    if values:
        text = _any_of(values).sub(MASK, text)
    if not HINTS.search(text):
        return text
    for pattern in PATTERNS:
        text = pattern.sub(_without_secret, text)
    return text


@lru_cache(maxsize=4)
def _any_of(values: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(pattern_of(value) for value in values))


def _without_secret(match: re.Match[str]) -> str:
    """Of the alternatives of a pattern one has matched."""
    text, start = match.group(), match.start()
    names = [name for name in match.groupdict() if name.startswith("secret")]
    if not names:
        return MASK
    for name in names:
        begin, end = match.span(name)
        if begin >= 0:
            return f"{text[: begin - start]}{MASK}{text[end - start :]}"
    return text


def _masked_json(value: Any, values: Sequence[str], *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            _masked(str(name), values): _masked_json(
                item, values, is_secret=is_secret or is_secret_name(str(name))
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked_json(item, values, is_secret=is_secret) for item in value]
    if isinstance(value, str) and value:
        return MASK if is_secret else _masked(value, values)
    return value


def _in_entry(name: object, item: Any, path: str) -> str | None:
    here = f"{path}.{name}" if path else str(name)
    if item not in (None, "", False) and _names_a_secret(str(name), item):
        return here
    return find_secret(str(name), path=here) or find_secret(item, path=here)


def _names_a_secret(name: str, item: Any) -> bool:
    """``auth`` may hold an object that is looked into, or a user and password as they are."""
    return is_secret_name(name) or (name.lower() == "auth" and isinstance(item, str | list))


def _first(found: Iterator[str | None]) -> str | None:
    return next((path for path in found if path), None)
