"""The configuration in force, and where each value comes from; secrets are only said to be set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ingestion.conf import pool_conf
from ingestion.installation_conf import SettingValue, setting_values
from ingestion.pool.controls import Control, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.services.security.secrets import MASK, is_secret_name, mask
from ingestion.services.tasks import aging
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm

SYSTEM = "System"
LIMIT_SETTING = "MAX_SYNC_WORKERS"


@dataclass(frozen=True)
class Shown:
    """One setting. ``value`` is ``***`` for a secret, and empty where none is set.
    ``source``: environment, .env, running system or default."""

    name: str
    value: str
    source: str
    is_default: bool
    help: str = ""
    is_missing: bool = False


@dataclass(frozen=True)
class Group:
    title: str
    settings: tuple[Shown, ...]

    @property
    def has_missing(self) -> bool:
        """Whether a CRM needs one of them and has none."""
        return any(shown.is_missing for shown in self.settings)

    def to_dict(self) -> dict[str, Any]:
        return {"title": self.title, "settings": [asdict(shown) for shown in self.settings]}


@dataclass(frozen=True)
class Override:
    """What an operator has set while the system ran. ``setting`` names what it stands before, if
    that is a setting; ``behind`` is what holds without it."""

    what: str
    value: str
    control: Control | PriorityAging
    behind: str
    setting: str = ""


def overrides(controls: PoolControls) -> list[Override]:
    """What is stronger than the settings: the pool's first, then by CRM."""
    return [*_limits(controls), *_aging(controls.priority_aging), *_pauses(controls)]


def difference(controls: PoolControls) -> str:
    """What this process's settings say otherwise than what is in force, with the cure; or ''."""
    return aging.difference(controls.priority_aging, pool_conf().priority_aging_seconds)


def _limits(controls: PoolControls) -> Iterator[Override]:
    if limit := controls.max_workers:
        behind = str(controls.behind.get("", _configured(LIMIT_SETTING)))
        yield Override("Syncs at once", str(limit.value), limit, behind, LIMIT_SETTING)
    for crm, limit in controls.crm_limits.items():
        behind = str(controls.behind.get(crm, "no limit of its own"))
        yield Override(f"Syncs of {crm} at once", str(limit.value), limit, behind)


def _aging(found: PriorityAging) -> Iterator[Override]:
    """Also one that nobody has set, where the settings of this process say something else."""
    if found.set_by or aging.difference(found, pool_conf().priority_aging_seconds):
        behind = f"{_configured(aging.SETTING)}, in a new installation"
        what = "Seconds of waiting that a level of priority is worth"
        yield Override(what, f"{found.seconds:g}", found, behind, aging.SETTING)


def _configured(name: str) -> str:
    (found,) = (found for found in setting_values() if found.name == name)
    return f"{found.value} ({found.source})"


def _pauses(controls: PoolControls) -> Iterator[Override]:
    if pause := controls.pause:
        yield Override("The whole pool", "paused", pause, "not paused")
    for crm, pause in controls.crm_pauses.items():
        yield Override(crm, "paused", pause, "not paused")


def settings_overview() -> list[Group]:
    """The system's settings, then those of each CRM."""
    system = Group(SYSTEM, tuple(_shown(found) for found in setting_values()))
    return [system, *(_of_crm(crm) for crm in crms().values() if crm.settings)]


def _of_crm(crm: Crm) -> Group:
    values = setting_values({setting.name: setting.default for setting in crm.settings})
    return Group(crm.title, tuple(_crm_settings(crm, values)))


def _crm_settings(crm: Crm, values: Iterable[SettingValue]) -> Iterable[Shown]:
    for setting, found in zip(crm.settings, values, strict=True):
        shown = _shown(found, is_secret=setting.secret)
        is_missing = setting.required and not shown.value
        yield Shown(**{**asdict(shown), "help": setting.help, "is_missing": is_missing})


def _shown(found: SettingValue, *, is_secret: bool = False) -> Shown:
    hidden = is_secret or is_secret_name(found.name)
    value = MASK if hidden and found.value else mask(found.value)
    return Shown(found.name, value, found.source, is_default=found.source == "default")
