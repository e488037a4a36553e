"""The routing table: which command and which Celery task serve a CRM and a sync type.

Derived from the CRM folders. A CRM without a folder is served too when a command
``sync_<crm>_all`` exists in an installed app.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.core.management import get_commands

from ingestion.pool.errors import UnknownSource, UnknownSyncType
from ingestion.sync.common.errors import did_you_mean
from ingestion.sync.common.registry import crms

logger = logging.getLogger(__name__)

ALL = "all"
LONGEST_SYNC_TYPE = 100
ALL_COMMAND = re.compile(r"sync_([a-z0-9_]+)_all")


def command_name(crm_source: str, sync_type: str) -> str:
    return f"sync_{crm_source}_{sync_type}"


def task_name(crm_source: str, sync_type: str) -> str:
    return f"ingestion.tasks.sync_{crm_source}_{sync_type}"


@dataclass(frozen=True)
class Route:
    """What serves a request. ``asked`` is the sync type that was asked for, normalised."""

    crm_source: str
    sync_type: str
    asked: str

    @property
    def command(self) -> str:
        return command_name(self.crm_source, self.sync_type)

    @property
    def task_name(self) -> str:
        return task_name(self.crm_source, self.sync_type)

    @property
    def is_fallback(self) -> bool:
        return self.asked != self.sync_type

    @property
    def fallback_sentence(self) -> str:
        """What runs in place of an unknown sync type, and which one was meant; empty for a known
        one."""
        if not self.is_fallback:
            return ""
        near = did_you_mean(self.asked, types_of(self.crm_source))
        return f"{self.asked!r}{near} is no sync type of {self.crm_source}: {self.command} runs instead."


# (crm, sync type) -> management command, for every CRM folder.
ROUTES: Mapping[tuple[str, str], str] = {
    (name, sync_type): command_name(name, sync_type)
    for name, crm in crms().items()
    for sync_type in crm.sync_types
}


def routes() -> dict[tuple[str, str], str]:
    """``ROUTES`` and the ``sync_<crm>_all`` commands of CRMs that have no folder."""
    return {**ROUTES, **{(name, ALL): command_name(name, ALL) for name in _other_crms()}}


def task_mappings() -> dict[tuple[str, str], str]:
    """(crm_source, sync_type) -> Celery task name, for every route."""
    return {route: task_name(*route) for route in routes()}


def known_crms() -> tuple[str, ...]:
    return tuple(sorted({crm_source for crm_source, _ in routes()}))


def types_of(crm_source: str) -> tuple[str, ...]:
    """The sync types of a CRM; none of an unknown one."""
    return tuple(sync_type for name, sync_type in routes() if name == crm_source)


def unknown_source(crm_source: str, known: Iterable[str]) -> UnknownSource:
    """The refusal of a CRM that is none of ``known``."""
    names = list(known)
    near = did_you_mean(crm_source[:50], names)
    return UnknownSource(f"Unknown CRM {crm_source[:50]!r}{near}; known are: {', '.join(names)}.")


def normalize_source(crm_source: str) -> str:
    """Raises UnknownSource unless it is a text."""
    if not isinstance(crm_source, str):
        raise UnknownSource(f"The CRM must be a text, one of: {', '.join(known_crms())}.")
    return crm_source.strip().lower()


def normalize_sync_type(crm_source: str, sync_type: str | None) -> str:
    """None or blank means ``all``; otherwise stripped and lower-cased."""
    if sync_type is None:
        return ALL
    if not isinstance(sync_type, str) or len(sync_type) > LONGEST_SYNC_TYPE:
        raise UnknownSyncType(_types_of(crm_source))
    normal = sync_type.strip().lower()
    if not normal.isprintable():
        raise UnknownSyncType(_types_of(crm_source))
    return normal or ALL


def resolve(crm_source: str, sync_type: str | None) -> Route:
    """The route of a request. A fallback is logged as a warning.

    Raises UnknownSource that lists the known CRMs, UnknownSyncType.
    """
    source = normalize_source(crm_source)
    if source not in crms() and source not in _other_crms():
        raise unknown_source(source, known_crms())
    asked = normalize_sync_type(source, sync_type)
    route = Route(source, _served(source, asked), asked)
    if route.is_fallback:
        logger.warning(
            "sync type %r of %s is unknown; %s runs instead", asked, source, route.command
        )
    return route


def _served(source: str, asked: str) -> str:
    if (source, asked) in ROUTES:
        return asked
    return crms()[source].fallback if source in crms() else ALL


def _other_crms() -> tuple[str, ...]:
    names = (ALL_COMMAND.fullmatch(name) for name in get_commands())
    return tuple(found[1] for found in names if found and found[1] not in crms())


def _types_of(source: str) -> str:
    known = crms()[source].sync_types if source in crms() else (ALL,)
    return (
        f"A sync type is a text of at most {LONGEST_SYNC_TYPE} printable characters; "
        f"{source} has: {', '.join(known)}."
    )
