"""Records that cannot be loaded, and how many of them a run may have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Literal

from ingestion.sync.common.errors import TooManyRejected
from ingestion.sync.common.failures import without_values
from ingestion.sync.common.source import Record
from ingestion.sync.common.values import json_safe

Reason = Literal["no_key", "too_large", "refused"]
# How much of a record its raw text has: all; all but secrets; only its beginning.
RawForm = Literal["whole", "masked", "cut"]
LONGEST_RAW: Final = 100_000  # characters
LONGEST_DETAIL: Final = 300


@dataclass(frozen=True)
class Rejected:
    """One record. ``key``: its key as text, None where it has none."""

    key: str | None
    raw: str
    reason: Reason
    detail: str
    raw_form: RawForm = "whole"

    @property
    def fingerprint(self) -> str:
        """The same for the same record in every run."""
        told = self.key if self.key is not None else self.raw
        return blake2b(f"{self.key is None}{told}".encode(), digest_size=16).hexdigest()


@dataclass
class Rejects:
    """Counts the rejected records of a run and holds those that are not staged yet. ``mask`` blots
    secrets out. A run with at least ``most_records`` of them that are also more than ``most_share``
    of all fails."""

    mask: Callable[[str], str] = lambda text: text
    most_records: int = 50
    most_share: float = 0.01
    reasons: Counter[str] = field(default_factory=Counter)
    first: str = ""
    waiting: list[Rejected] = field(default_factory=list)

    def add(self, record: Record, key: str | None, reason: Reason, detail: str) -> None:
        told = json.dumps(json_safe(record), ensure_ascii=False)
        raw = self.mask(told)
        form: RawForm = "masked" if raw != told else "whole"
        form = "cut" if len(raw) > LONGEST_RAW else form
        masked = self.mask(detail)[:LONGEST_DETAIL]
        self.waiting.append(Rejected(key, raw[:LONGEST_RAW], reason, masked, form))
        self.first = self.first or without_values(masked)
        self.reasons[reason] += 1

    def begin_again(self) -> None:
        """Everything is read once more: the same records are counted once."""
        self.reasons.clear()

    @property
    def count(self) -> int:
        return self.reasons.total()

    def taken(self) -> list[Rejected]:
        """Those that are not staged yet; they are forgotten here."""
        waiting, self.waiting = self.waiting, []
        return waiting

    def check(self, model: str, of: int) -> None:
        """Raises TooManyRejected. ``of``: how many records were read."""
        if self.count >= self.most_records and self.count > self.most_share * of:
            raise TooManyRejected(
                f"{self.count} of {of} records of {model} cannot be loaded, so nothing was loaded; "
                f"the first: {self.first}. They stand in _rejected."
            )
