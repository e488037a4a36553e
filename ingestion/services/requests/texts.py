"""What a text of a request must be so that every store takes it."""

from __future__ import annotations

from ingestion.pool.errors import InvalidSubmission

LONGEST_SHOWN = 50


def checked_text(name: str, value: object, *, longest: int) -> str:
    """Raises InvalidSubmission that names what is allowed."""
    if not isinstance(value, str):
        raise InvalidSubmission(f"{name} must be a text, not {shown(value)}.")
    if len(value) > longest:
        raise InvalidSubmission(f"{name} may have {longest} characters; this one has {len(value)}.")
    if fault := fault_of(value):
        raise InvalidSubmission(f"{name} {fault}.")
    return value


def fault_of(text: str) -> str:
    """Why no database takes the text; '' if it does."""
    if "\x00" in text:
        return "must not hold the character NUL; databases refuse it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must be text in Unicode; half of a character is none"
    return ""


def shown(value: object) -> str:
    """A value within a sentence."""
    whole = repr(value)
    return whole if len(whole) <= LONGEST_SHOWN else f"{whole[:LONGEST_SHOWN]}…"
