"""Finds the CRMs of the sandbox, opens them as the state has them, and changes them."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module

import sandbox.crms
from sandbox.base import Sandbox, SandboxConf
from sandbox.errors import UnknownCrm
from sandbox.serving.state import SandboxState, StateFile


def crm_names() -> tuple[str, ...]:
    """Every CRM that can be served: the modules and packages of ``sandbox.crms``, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(sandbox.crms.__path__)))


@cache
def sandbox_classes() -> Mapping[str, type[Sandbox]]:
    """The class of every CRM, by name."""
    return {name: import_module(f"sandbox.crms.{name}").SANDBOX for name in crm_names()}


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names, sorted. Raises UnknownCrm that lists the known ones."""
    wanted, known = set(names), sandbox_classes()
    if unknown := wanted - known.keys():
        raise UnknownCrm(
            f"No sandbox for {', '.join(sorted(unknown))}; there is one for {', '.join(known)}."
        )
    return tuple(sorted(wanted))


class Sandboxes:
    """The opened CRMs of one data directory, equal to its state after every call."""

    def __init__(self, state_file: StateFile, names: tuple[str, ...] | None = None) -> None:
        """``names`` None opens all. Call it with the serving lock held."""
        self._state_file = state_file
        self._lock = threading.Lock()
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

        The tick is stored first: after a crash the next start applies it.
        """
        wanted = None if crms is None else check_names(crms)
        with self._lock:
            now = datetime.now(UTC)
            tick = self._state_file.update(lambda state: state.with_tick(now, wanted)).ticks[-1]
            return {n: s.tick(tick.at) for n, s in self.by_name.items() if tick.concerns(n)}

    def counts(self) -> dict[str, dict[str, int]]:
        """Records by model, by CRM."""
        with self._lock:
            return {name: sandbox.counts() for name, sandbox in self.by_name.items()}
