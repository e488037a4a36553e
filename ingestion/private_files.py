"""Files and folders that are their owner's alone from the moment they are there."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE_MODE, FOLDER_MODE, UMASK = 0o600, 0o700, 0o077
OTHERS = 0o077


def make_folder(folder: Path) -> None:
    """With the folders above it that are missing; one that is there already stays as it is.
    Raises OSError."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def make_file(file: Path) -> None:
    """Empty, if there is none yet. Raises OSError.

    One that is there is not even opened: when a process closes a file it loses all its locks on it,
    also those of SQLite's other connections, and without them the database is soon destroyed.
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def secret(file: Path) -> str:
    """A random text that stays the same from start to start, made when it is asked for first, by
    whichever process that is. Raises OSError."""
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w"
        ) as out:
            out.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_text().strip()


def open_to_others(paths: list[Path]) -> list[Path]:
    """Those files and folders that somebody else than their owner may read or change; a device such
    as /dev/null is left to the system."""
    return [path for path in paths if _is_ours(path) and path.stat().st_mode & OTHERS]


def _is_ours(path: Path) -> bool:
    return path.is_file() or path.is_dir()


class PrivateConnection(sqlite3.Connection):
    """Makes the database's file before SQLite does, which would let everybody read it. The files
    that SQLite puts beside it take over its mode."""

    def __init__(self, database: Any, *given: Any, **named: Any) -> None:
        name = os.fspath(database)
        if name and name != ":memory:" and not name.startswith("file:"):
            # SQLite says better what is wrong with the place.
            with suppress(OSError):
                make_file(Path(name))
        super().__init__(database, *given, **named)
