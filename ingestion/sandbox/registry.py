"""Finds the stand-ins, opens them as the state says and changes them."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module

import ingestion.sandbox
from ingestion.sandbox.base import Sandbox, SandboxConf
from ingestion.sandbox.state import SandboxError, SandboxState, StateFile


class UnknownCrm(SandboxError):
    """There is no stand-in of that name."""


@cache
def sandbox_classes() -> Mapping[str, type[Sandbox]]:
    """Every stand-in by CRM: each module or package beside this one that has ``SANDBOX``."""
    names = sorted(module.name for module in pkgutil.iter_modules(ingestion.sandbox.__path__))
    modules = {name: import_module(f"ingestion.sandbox.{name}") for name in names}
    return {name: m.SANDBOX for name, m in modules.items() if hasattr(m, "SANDBOX")}


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names, sorted. Raises UnknownCrm that lists the known ones."""
    wanted, known = set(names), sandbox_classes()
    if unknown := wanted - known.keys():
        raise UnknownCrm(
            f"No sandbox for {', '.join(sorted(unknown))}; there is one for {', '.join(known)}."
        )
    return tuple(sorted(wanted))


class Sandboxes:
    """The opened stand-ins of one data directory, equal to its state after every call."""

    def __init__(self, state_file: StateFile, names: tuple[str, ...] | None = None) -> None:
        """``names`` None opens all. Call it with the serving lock held."""
        self._state_file = state_file
        self._turn = threading.Lock()
        state = state_file.load()
        self.by_name = {
            name: self._opened(name, state)
            for name in (sandbox_classes() if names is None else check_names(names))
        }

    def _opened(self, name: str, state: SandboxState) -> Sandbox:
        folder = self._state_file.crm_dir(name)
        folder.mkdir(parents=True, exist_ok=True)
        sandbox = sandbox_classes()[name](SandboxConf(folder, seed=state.seed, rows=state.rows))
        for tick in state.ticks:
            if tick.concerns(name):
                sandbox.tick(tick.at)
        return sandbox

    def tick(self, crms: tuple[str, ...] | None = None) -> dict[str, dict[str, int]]:
        """Change the data of ``crms`` (None: all); what was done, by CRM.

        The tick is kept first: a crash before it is applied is made good by the next start.
        """
        wanted = None if crms is None else check_names(crms)
        with self._turn:
            now = datetime.now(UTC)
            tick = self._state_file.update(lambda state: state.with_tick(now, wanted)).ticks[-1]
            return {n: s.tick(tick.at) for n, s in self.by_name.items() if tick.concerns(n)}

    def counts(self) -> dict[str, dict[str, int]]:
        """Records by model, by CRM."""
        with self._turn:
            return {name: sandbox.counts() for name, sandbox in self.by_name.items()}
