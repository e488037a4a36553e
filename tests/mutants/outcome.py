"""What has become of a table at the end of a life."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """``warnings``: why runs were partial. ``noticed``: what verification says; None: equal.
    ``rows``: a sum over the table's values."""

    warnings: tuple[str, ...]
    noticed: str | None
    rows: str
