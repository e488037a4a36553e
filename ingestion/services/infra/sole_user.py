"""A SQLite ledger belongs to one pool. Two folders that use one file with a Redis each would both give
out its tasks; so the first one leaves a note beside the file, and the other is refused."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from ingestion import private_files
from ingestion.conf import servers_conf
from ingestion.settings_reader import var_dir

SUFFIX = ".user"


def claim() -> str:
    """Leave the note where there is none; else why this process must not go on, or ''. Nothing is said
    of a ledger elsewhere than in a file, nor where no note can be written."""
    if not (note := _note()):
        return ""
    mine = {"var_dir": str(var_dir().resolve()), "redis": _redis()}
    theirs = _read(note)
    if theirs is not None and _is_another(theirs, mine):
        return (
            f"The ledger {note.with_suffix('')} is used by the system of the folder "
            f"{theirs['var_dir']}, which has another Redis: each would run every task. Set CACHE_URL "
            "and CELERY_BROKER_URL to the same Redis in both, or DATABASE_URL to one of your own; if "
            f"that folder is no longer used, delete {note}."
        )
    if theirs != mine:
        with suppress(OSError):
            private_files.make_file(note)
            note.write_text(json.dumps(mine))
    return ""


def _note() -> Path | None:
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite" and not (name == ":memory:" or "mode=memory" in name)
    return Path(f"{name}{SUFFIX}") if is_file else None


def _read(note: Path) -> dict[str, str] | None:
    try:
        found = json.loads(note.read_text())
        return {"var_dir": str(found["var_dir"]), "redis": str(found["redis"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_another(theirs: dict[str, str], mine: dict[str, str]) -> bool:
    """A folder that is gone was moved; the Redis that ``up`` brings has a new port each time."""
    has_both = theirs["var_dir"] != mine["var_dir"] and theirs["redis"] != mine["redis"]
    return has_both and Path(theirs["var_dir"]).is_dir()


def _redis() -> str:
    """The server, without its password."""
    parts = urlsplit(servers_conf().cache_url)
    where = parts.netloc.rpartition("@")[2] + parts.path
    return hashlib.sha256(where.encode()).hexdigest()[:16]
