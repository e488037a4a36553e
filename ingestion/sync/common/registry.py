"""Finds the CRMs: every folder under ``ingestion/sync`` with a ``settings.py`` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import ingestion.sync
from ingestion.sync.common.errors import NotConnected, SettingsMissing, did_you_mean
from ingestion.sync.common.source import Crm, CrmSource, SourceContext

SYNC_DIR = Path(ingestion.sync.__file__).parent


@cache
def crms() -> Mapping[str, Crm]:
    """All CRMs by name, sorted."""
    folders = sorted(p.parent.name for p in SYNC_DIR.glob("*/settings.py"))
    return {name: import_module(f"ingestion.sync.{name}.settings").CRM for name in folders}


def crm(name: str) -> Crm:
    """Raises LookupError that lists the known CRMs."""
    try:
        return crms()[name]
    except KeyError:
        near = did_you_mean(name, crms())
        raise LookupError(f"unknown CRM {name!r}{near}; known are: {', '.join(crms())}") from None


def crm_settings(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of a CRM's settings. Raises SettingsMissing that names what is missing."""
    values = {s.name: environment.get(s.name, "") or s.default for s in crm(name).settings}
    missing = [s.name for s in crm(name).settings if s.required and not values[s.name]]
    if missing:
        raise SettingsMissing(
            f"{crm(name).title} is not configured: set {', '.join(missing)} in .env or the environment."
        )
    return values


def require_connected(name: str) -> None:
    """Raises NotConnected while a CRM has no source."""
    if not crm(name).connected:
        raise NotConnected(
            f"{crm(name).title} is not connected yet: its routes and commands exist, its source does not."
        )


def load_source(name: str) -> Callable[[SourceContext], CrmSource]:
    """What builds the source of a CRM: a class or a function. Raises NotConnected while there is
    none."""
    require_connected(name)
    source: Callable[[SourceContext], CrmSource] = import_module(
        f"ingestion.sync.{name}.source"
    ).Source
    return source


def open_source(name: str, context: SourceContext) -> CrmSource:
    """The source of a CRM, ready to read. Raises NotConnected while there is none."""
    return load_source(name)(context)
