"""The faults that a CRM of the sandbox can have, to see what a sync makes of them.

A fault is written ``NAME[:TIMES][=CRM]``: ``errors``, ``cut:3``, ``throttle:always=hubspot``.
Without TIMES each has a number that a sync survives, or no end where it is a state rather than an
accident. Requests are counted, so the same sync meets the same faults. Faults are held in memory
only: a sandbox that is started again has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.errors import UnknownFault

ALWAYS = "always"


@dataclass(frozen=True)
class Kind:
    """``description``: for the command's help. ``times``: how many requests it hits by default, None for all.
    ``each_request``: counted for each different request by itself, else for all of a CRM's."""

    description: str
    times: int | None
    each_request: bool = True


# In the order in which they are applied to an answer: the last one sees the request first.
KINDS: Mapping[str, Kind] = {
    "column": Kind("a new field, a vanished one and one of another type", None),
    "repeat": Kind("the same page again and again, whichever is requested", None),
    "truncated": Kind("answers that break off, with a correct length", 1),
    "cut": Kind("connections cut in the middle of an answer", 1),
    "html": Kind("HTML error pages, with 502 and 200 alternately", 1),
    "errors": Kind("answers with status 500; a database is locked", 2),
    "throttle": Kind("too many requests, in the CRM's own form", 3, each_request=False),
    "credentials": Kind("credentials that are no longer accepted", None, each_request=False),
    "slow": Kind("answers that take their time", None),
}


@dataclass(frozen=True)
class Fault:
    """``crm`` None: every CRM that can have it. ``times`` None: no end."""

    name: str
    crm: str | None
    times: int | None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Raises UnknownFault, which lists what there is."""
        head, _, crm = text.partition("=")
        name, _, times = head.partition(":")
        if name not in KINDS:
            raise UnknownFault(f"No fault {name!r}; there are {', '.join(KINDS)}.")
        return cls(name, crm or None, _times(times, KINDS[name].times, text))

    def __str__(self) -> str:
        times = ALWAYS if self.times is None else str(self.times)
        return f"{self.name}:{times}" + (f"={self.crm}" if self.crm else "")


def _times(text: str, default: int | None, whole: str) -> int | None:
    if not text:
        return default
    if text == ALWAYS:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UnknownFault(f"{whole!r}: write NAME:TIMES=CRM, TIMES a whole number or {ALWAYS}.")
    return int(text)
