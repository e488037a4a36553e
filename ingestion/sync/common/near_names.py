"""Which name somebody meant who has mistyped it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """`` (did you mean 'contacts'?)``, to stand behind what was typed; empty where nothing is near."""
    near = get_close_matches(typed.lower(), known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
