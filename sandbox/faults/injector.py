"""Applies faults to the requests that one process serves, and counts them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandbox.base import Sandbox, WsgiApp
from sandbox.errors import FaultDoesNotApply
from sandbox.faults.disturbances import DISTURBANCES
from sandbox.faults.kinds import KINDS, Fault
from sandbox.web import IncomingRequest


class FaultInjector:
    """The faults that one serving process has at the moment. Thread-safe."""

    def __init__(self, sandboxes: Mapping[str, Sandbox], *, slow_seconds: float = 2.0) -> None:
        self.slow_seconds = slow_seconds
        self._sandboxes = sandboxes
        self._lock = threading.Lock()
        self._in_force: tuple[Fault, ...] = ()
        self._met: Counter[tuple[Fault, str, bytes]] = Counter()
        self._ended = threading.Event()
        self.requests_hit = 0  # since the faults were set

    @property
    def in_force(self) -> tuple[Fault, ...]:
        return self._in_force

    def set(self, faults: Iterable[Fault]) -> None:
        """Have these faults and no others; counting starts again, and slow answers come at once.

        Raises FaultDoesNotApply; then nothing has changed.
        """
        wanted = tuple(sorted(faults, key=lambda fault: list(KINDS).index(fault.name)))
        for fault in wanted:
            self._check(fault)
        with self._lock:
            self._ended.set()
            self._ended = threading.Event()
            self._in_force = wanted
            self._met.clear()
            self.requests_hit = 0
            for crm, sandbox in self._sandboxes.items():
                own = {f.name for f in wanted if f.crm in (None, crm)} & sandbox.own_faults
                sandbox.set_faults(frozenset(own))

    def wrap(self, crm: str, app: WsgiApp) -> WsgiApp:
        """The app of a CRM, with the faults in force when a request comes."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if not self._in_force:
                return app(environ, start_response)
            request = IncomingRequest.of(crm, environ)
            faulty = app
            for fault, number in self._due(request):
                faulty = DISTURBANCES[fault.name](faulty, request, number, self._pause)
            return faulty(environ, start_response)

        return answer

    def _due(self, request: IncomingRequest) -> Iterator[tuple[Fault, int]]:
        """The faults that this request meets, each with how often it was met before."""
        for fault in self._in_force:
            if fault.crm not in (None, request.crm):
                continue
            key = request.identity if KINDS[fault.name].each_request else b""
            with self._lock:
                number = self._met[fault, request.crm, key]
                self._met[fault, request.crm, key] += 1
                is_due = fault.times is None or number < fault.times
                self.requests_hit += is_due
            if is_due:
                yield fault, number

    def _pause(self) -> None:
        self._ended.wait(self.slow_seconds)

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
