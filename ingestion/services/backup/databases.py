"""Databases into files and back, each by its own tool: SQLite's backup API, pg_dump and psql."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ingestion import private_files
from ingestion.services.backup.bundle import BackupError

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Everything that is not the server's own goes, so that nothing of a newer version is left.
EMPTY = r"""
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT nspname FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
  LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
END $$;
CREATE SCHEMA public;
"""


@dataclass(frozen=True)
class Database:
    """Where one is; its URL may hold a password, which no message and no command line shows."""

    url: URL

    @property
    def vendor(self) -> str:
        return self.url.get_backend_name()

    @property
    def path(self) -> Path:
        """Of a SQLite file."""
        return Path(self.url.database or "").absolute()

    def is_same_as(self, other: Database) -> bool:
        mine, others = (
            (d.vendor, d.url.host, d.url.port or 5432, d.url.database) for d in (self, other)
        )
        return mine == others


def database(url: str) -> Database:
    """Raises BackupError."""
    try:
        return Database(make_url(url.replace("postgres://", "postgresql://", 1)))
    except ArgumentError as wrong:
        raise BackupError("A database URL of the settings cannot be read.") from wrong


def copy_sqlite(source: Path, target: Path) -> None:
    """Consistent, while others write. Raises BackupError."""
    private_files.make_file(target)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=20)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as problem:
        raise BackupError(f"{source} cannot be copied: {problem}.") from problem


def put_sqlite_back(source: Path, target: Path) -> None:
    """Into the file that is there, in one transaction; no process may have it open meanwhile."""
    private_files.make_folder(target.parent)
    private_files.make_file(target)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target, timeout=20)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as problem:
        raise BackupError(f"{target} cannot be written: {problem}.") from problem


def dump_postgresql(found: Database, target: Path) -> None:
    """Raises BackupError."""
    private_files.make_file(target)
    words = ("--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    _run([_tool("pg_dump"), *words, *where(found)], found)


def put_postgresql_back(source: Path, found: Database) -> None:
    """All of it or nothing: in one transaction, over whatever is there. Raises BackupError."""
    reading = [_tool("pg_restore"), "--no-owner", "--no-privileges", "--clean", "--if-exists"]
    script = _run([*reading, "--file=-", str(source)], found)
    quietly = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    _run([_tool("psql"), *quietly, *where(found)], found, given=EMPTY.encode() + script)


def _tool(name: str) -> str:
    if not (found := shutil.which(name)):
        raise BackupError(f"{name} is not installed; on Debian: apt-get install postgresql-client.")
    return found


def where(found: Database) -> Sequence[str]:
    """Without the password: others of this machine can read command lines."""
    url = found.url
    bare = URL.create(POSTGRESQL, url.username, None, url.host, url.port, url.database, url.query)
    return (f"--dbname={bare.render_as_string()}",)


def _run(words: Sequence[str], found: Database, *, given: bytes | None = None) -> bytes:
    environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
    if found.url.password:
        environment["PGPASSWORD"] = str(found.url.password)
    done = subprocess.run(words, input=given, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise BackupError(f"{Path(words[0]).name} failed: {done.stderr.decode().strip()[-500:]}")
    return done.stdout
