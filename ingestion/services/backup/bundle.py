"""One backup: a folder with files and a manifest that says what they are and what they must be."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingestion import private_files

MANIFEST, PREFIX, UNFINISHED = "manifest.json", "backup-", ".unfinished"
SCHEMA = 1


class BackupError(Exception):
    """A backup cannot be made or put back; the message says why and what to do."""


@dataclass(frozen=True)
class Stored:
    """A file of the backup. ``holds``: ledger, warehouse or secrets."""

    name: str
    holds: str
    vendor: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``created_at`` as ISO 8601. ``migrations``: the last of each app. ``counts``: what the ledger
    held. ``left_out``: what is not in it, in sentences."""

    created_at: str
    files: tuple[Stored, ...]
    migrations: tuple[str, ...]
    counts: dict[str, int]
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def holding(self, what: str) -> list[Stored]:
        return [stored for stored in self.files if stored.holds == what]


def stored(file: Path, *, holds: str, vendor: str) -> Stored:
    return Stored(file.name, holds, vendor, file.stat().st_size, _digest(file))


def write(folder: Path, manifest: Manifest) -> None:
    """The last file: a folder without it is no backup."""
    path = folder / MANIFEST
    private_files.make_file(path)
    path.write_text(json.dumps(manifest.to_dict(), indent=2) + "\n")


def read(folder: Path) -> Manifest:
    """Raises BackupError for a folder that is none, or whose files are not what they were."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
        files = tuple(Stored(**each) for each in found["files"])
        manifest = Manifest(
            created_at=found["created_at"],
            files=files,
            migrations=tuple(found["migrations"]),
            counts=found["counts"],
            left_out=tuple(found["left_out"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BackupError(f"{folder} is no backup: its {MANIFEST} cannot be read.") from problem
    if found.get("schema") != SCHEMA:
        raise BackupError(f"{folder} was made by another version, which must put it back.")
    if broken := [each.name for each in files if not _is_whole(folder / each.name, each)]:
        raise BackupError(f"The backup is damaged: {', '.join(broken)}. Take another one.")
    return manifest


def thin(folder: Path, *, keep: int) -> list[str]:
    """Remove the oldest but ``keep``; the names of those removed."""
    whole = sorted(path for path in folder.glob(f"{PREFIX}*") if (path / MANIFEST).is_file())
    old = whole[:-keep]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]


def _is_whole(file: Path, wanted: Stored) -> bool:
    return file.is_file() and _digest(file) == wanted.sha256


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            yield block
