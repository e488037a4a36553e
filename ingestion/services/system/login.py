"""The operator's login: made once, with a password that nobody chose."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth import get_user_model

from ingestion import private_files

USER = "operator"
FILE_NAME = "operator-login"


@dataclass(frozen=True)
class Login:
    """``is_new``: made by this call, the one time that the password is to be shown. ``path`` is
    None where the operators have accounts of their own."""

    user: str = USER
    password: str = ""
    path: Path | None = None
    is_new: bool = False


def ensure_login(var_dir: Path) -> Login:
    """The login of this clone; makes one when the ledger knows no administrator."""
    path = var_dir / FILE_NAME
    if get_user_model().objects.filter(is_superuser=True).exists():
        return Login(path=path if path.exists() else None)
    # The file comes first: a crash in between must not leave an account nobody can enter.
    password = _stored_password(path) or _new_password(path)
    get_user_model().objects.create_superuser(username=USER, email="", password=password)
    return Login(password=password, path=path, is_new=True)


def _stored_password(path: Path) -> str:
    """The password of an earlier ledger, so that a deleted ledger keeps its login."""
    if not path.exists():
        return ""
    lines = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
    return lines.get("password", "")


def _new_password(path: Path) -> str:
    password = secrets.token_urlsafe(15)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"username: {USER}\npassword: {password}\n")
    return password


def ensure_secret(path: Path) -> str:
    """A random secret that stays the same from start to start, for its owner alone."""
    return private_files.secret(path)
