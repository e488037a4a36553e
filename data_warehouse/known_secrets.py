"""Secrets that everybody knows are refused; a developer's own is made."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from ingestion import private_files

# What examples, tutorials and images come with.
WELL_KNOWN = frozenset(
    {"changeme", "password", "passw0rd", "secret", "example", "postgres", "admin", "test"}
)
WELL_KNOWN_STARTS = ("django-insecure", "development-only", "only-for-", "change-me", "your-")


def is_well_known(secret: str) -> bool:
    """Also one of a few characters over and over."""
    found = secret.strip().lower()
    is_example = found in WELL_KNOWN or found.startswith(WELL_KNOWN_STARTS)
    return is_example or 0 < len(set(found)) < min(5, len(found))


def well_known_in_urls(urls: dict[str, str]) -> list[str]:
    """The names of the settings whose URL holds such a password."""
    return [name for name, url in urls.items() if _holds_one(url)]


def _holds_one(url: str) -> bool:
    try:
        password = urlsplit(url).password
    except ValueError:
        return False  # somebody else says what is wrong with it
    return bool(password) and is_well_known(str(password))


def own_secret(file: Path) -> str:
    """This clone's; where nothing can be written, this process's."""
    try:
        return private_files.secret(file)
    except OSError:
        return secrets.token_urlsafe(50)
