"""Records as they were sent, by key, in a temporary file: there may be more than fit into memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ingestion.sync.raw.reader import Key, RawRecord

_DECIMAL: Final = "\x00decimal"
_SEPARATOR: Final = "\x1f"


class Spool:
    """Records that come in parts are put together; what is said of one later stands."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="second-reading-")
        self._file = sqlite3.connect(Path(self._folder.name) / "records", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE records (key TEXT PRIMARY KEY, fields TEXT, gone INTEGER)")
        self.names: set[str] = set()  # of all fields

    def close(self) -> None:
        self._file.close()
        self._folder.cleanup()

    def put(self, record: RawRecord) -> None:
        self.names.update(record.fields)
        before = self.get(record.key) if record.is_part else None
        fields = {**(before.fields if before else {}), **record.fields}
        self._file.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?)",
            (text_of(record.key), json.dumps(fields, default=_tagged), int(record.is_gone)),
        )

    def get(self, key: Key) -> RawRecord | None:
        found = self._file.execute(
            "SELECT fields, gone FROM records WHERE key = ?", (text_of(key),)
        ).fetchone()
        if found is None:
            return None
        return RawRecord(key, json.loads(found[0], object_hook=_untagged), bool(found[1]))

    def living(self) -> Iterator[Key]:
        for (key,) in self._file.execute("SELECT key FROM records WHERE gone = 0"):
            yield tuple(key.split(_SEPARATOR))

    def count(self) -> int:
        (found,) = self._file.execute("SELECT count(*) FROM records WHERE gone = 0").fetchone()
        return int(found)


def text_of(key: Key) -> str:
    """The same as the conversion's keys have."""
    return _SEPARATOR.join(key).encode("utf-8", "replace").decode()


def _tagged(value: Any) -> Any:
    return {_DECIMAL: str(value)} if isinstance(value, Decimal) else str(value)


def _untagged(found: dict[str, Any]) -> Any:
    return Decimal(found[_DECIMAL]) if found.keys() == {_DECIMAL} else found
