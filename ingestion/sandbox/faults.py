"""Faults that stand-ins can be told to have, so that one can see what a sync makes of them.

A fault is written ``NAME[:TIMES][=CRM]``: ``errors``, ``cut:3``, ``throttle:always=hubspot``.
Without TIMES each has a number that a sync gets over, or stays for ever where it is a state
rather than an accident. Requests are counted, so the same sync meets the same faults. Faults are
kept in memory only: a sandbox that is started again has none.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.sandbox.base import Sandbox, WsgiApp
from ingestion.sandbox.disturbances import DISTURBANCES
from ingestion.sandbox.state import SandboxError
from ingestion.sandbox.web import Asked

ALWAYS = "always"


class UnknownFault(SandboxError):
    """There is no fault of that name."""


class FaultDoesNotApply(SandboxError):
    """The CRM cannot have this fault."""


@dataclass(frozen=True)
class Kind:
    """``times``: how many requests it hits unless asked otherwise, None for ever.
    ``each_request``: counted for each different request by itself, else for all of a CRM's."""

    words: str
    times: int | None
    each_request: bool = True


# In the order in which they are laid around an answer: the last one comes first to a request.
KINDS: Mapping[str, Kind] = {
    "column": Kind("a new field, a vanished one and one of another type", None),
    "repeat": Kind("the same page for ever, whichever is asked for", None),
    "truncated": Kind("answers that break off, with a correct length", 1),
    "cut": Kind("connections cut in the middle of an answer", 1),
    "html": Kind("HTML error pages, with 502 and 200 in turn", 1),
    "errors": Kind("answers 500; a database is locked", 2),
    "throttle": Kind("too many requests, in the CRM's own form", 3, each_request=False),
    "credentials": Kind("credentials that are no longer accepted", None, each_request=False),
    "slow": Kind("answers that take their time", None),
}


@dataclass(frozen=True)
class Fault:
    """``crm`` None: every CRM that can have it. ``times`` None: for ever."""

    name: str
    crm: str | None
    times: int | None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Raises UnknownFault that says what there is."""
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


class Faults:
    """The faults that one serving process has at the moment."""

    def __init__(self, sandboxes: Mapping[str, Sandbox], *, slow_seconds: float = 2.0) -> None:
        self.slow_seconds = slow_seconds
        self._sandboxes = sandboxes
        self._turn = threading.Lock()
        self._in_force: tuple[Fault, ...] = ()
        self._met: Counter[tuple[Fault, str, bytes]] = Counter()
        self._mended = threading.Event()
        self.requests_hit = 0  # since the faults were put

    @property
    def in_force(self) -> tuple[Fault, ...]:
        return self._in_force

    def put(self, faults: Iterable[Fault]) -> None:
        """These from now on, and no others; counting starts anew. Slow answers come at once then.

        Raises FaultDoesNotApply; then nothing has changed.
        """
        wanted = tuple(sorted(faults, key=lambda fault: list(KINDS).index(fault.name)))
        for fault in wanted:
            self._check(fault)
        with self._turn:
            self._mended.set()
            self._mended = threading.Event()
            self._in_force = wanted
            self._met.clear()
            self.requests_hit = 0
            for crm, sandbox in self._sandboxes.items():
                own = {f.name for f in wanted if f.crm in (None, crm)} & sandbox.own_faults
                sandbox.suffer(frozenset(own))

    def wrap(self, crm: str, app: WsgiApp) -> WsgiApp:
        """The face of a CRM with the faults that it has when a request comes."""

        def disturbed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if not self._in_force:
                return app(environ, start_response)
            asked = Asked.of(crm, environ)
            face = app
            for fault, number in self._due(asked):
                face = DISTURBANCES[fault.name](face, asked, number, self._pause)
            return face(environ, start_response)

        return disturbed

    def _due(self, asked: Asked) -> Iterator[tuple[Fault, int]]:
        """The faults that this request meets, each with how often it was met before."""
        for fault in self._in_force:
            if fault.crm not in (None, asked.crm):
                continue
            request = asked.identity if KINDS[fault.name].each_request else b""
            with self._turn:
                number = self._met[fault, asked.crm, request]
                self._met[fault, asked.crm, request] += 1
                is_due = fault.times is None or number < fault.times
                self.requests_hit += is_due
            if is_due:
                yield fault, number

    def _pause(self) -> None:
        self._mended.wait(self.slow_seconds)

    def _check(self, fault: Fault) -> None:
        if fault.crm is None:
            return
        sandbox = self._sandboxes.get(fault.crm)
        if sandbox is None:
            known = ", ".join(self._sandboxes)
            raise FaultDoesNotApply(f"No CRM {fault.crm!r} is served here; there are {known}.")
        if sandbox.wsgi() is None and fault.name not in sandbox.own_faults:
            own = ", ".join(sorted(sandbox.own_faults)) or "none"
            raise FaultDoesNotApply(
                f"The fault {fault.name} does not apply to {fault.crm}, which is not read over "
                f"HTTP; it can have: {own}."
            )
