"""Who asks for a change of the pool, and why: one value that every verb takes."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ChangeRequest:
    """Who asks for a change, why, and what they saw of it before.

    ``by`` is a name for the audit record; without one it is whoever this process acts for.
    ``reason`` is free text. ``expected_revision`` is the revision of the task as it was seen: the
    change is refused with Conflict when the task has another one by now, and None means that
    nobody has looked.
    """

    by: str = ""
    reason: str = ""
    expected_revision: int | None = None

    def seen_at(self, revision: int | None) -> ChangeRequest:
        """The same change of a task that was seen at this revision."""
        return replace(self, expected_revision=revision)


# A change nobody has signed: by whoever this process acts for, without a reason.
UNSIGNED = ChangeRequest()
