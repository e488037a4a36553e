"""The CRMs that a crowd of schedules reads: slow, and counting how full each of their limits gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.faults.kinds import Fault
from sandbox.serving.server import HOST, SandboxServer
from sandbox.web import RequestRate

EVERY_SECONDS = 10
TURNS = 15  # of two minutes in half an hour
ROWS = 12
SLOW_SECONDS = 0.2
BURST = 10
# What the settings of the CRMs say of their limits, unless a sandbox has the right ones already.
LIMITS = {
    "arrivy": (RequestRate(30, 60),),
    "gsheet": (RequestRate(60, 60),),
    "leadconduit": (RequestRate(60, 60),),
    "marketsharp": (RequestRate(120, 60),),
    "salespro": (RequestRate(60, 60),),
    "salesrabbit": (RequestRate(60, 60),),
}


@contextmanager
def slow_crms(folder: Path, *, host: str = HOST) -> Iterator[SandboxServer]:
    with SandboxServer(folder, rows=ROWS, port=0, host=host) as server:
        sandboxes: dict[str, Any] = dict(server.sandboxes.by_name)
        for name, rates in LIMITS.items():
            sandboxes[name].rates = tuple(RequestRate(r.requests, r.window_seconds) for r in rates)
        sandboxes["hubspot"].burst.requests = BURST
        server.faults.slow_seconds = SLOW_SECONDS
        server.faults.set([Fault.parse("slow:always")])
        yield server


def usual_limits(sandbox: SandboxServer) -> dict[str, str]:
    """The settings of the CRMs. Every limit but HubSpot's is left to its default."""
    return {
        name: value
        for name, value in sandbox.settings.items()
        if "_PER_" not in name or name.startswith("HUBSPOT")
    }


def assert_no_limit_passed(sandbox: SandboxServer) -> None:
    for name, one in sandbox.sandboxes.by_name.items():
        for budget in one.budgets():
            assert budget.refused == 0, f"{name}: {budget}"
            assert budget.fullest <= budget.requests, f"{name}: {budget}"
    (burst,) = (b for b in sandbox.sandboxes.by_name["hubspot"].budgets() if b.requests == BURST)
    assert burst.fullest == BURST, "HubSpot was never asked as often as it allows"


def budgets(sandbox: SandboxServer) -> list[str]:
    """A line for each limit, for people."""
    return [
        f"  {name}: {budget}"
        for name, one in sandbox.sandboxes.by_name.items()
        for budget in one.budgets()
    ]
