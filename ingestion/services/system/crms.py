"""Which CRMs are the operator's own, and which are played by the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.conf import SystemConf
from ingestion.sandbox.registry import sandbox_classes
from ingestion.sync.common.registry import crm, crms
from ingestion.sync.common.source import Crm


def operators_crms(conf: SystemConf) -> list[Crm]:
    """The CRMs of which a credential is configured."""
    return [found for found in crms().values() if _is_operators(found, conf)]


def _is_operators(found: Crm, conf: SystemConf) -> bool:
    return any(conf.configured(s.name) for s in found.settings if s.secret or s.required)


def sandboxed_crms(conf: SystemConf) -> tuple[str, ...]:
    """The CRMs that the sandbox can play and the operator has not configured."""
    own = {found.name for found in operators_crms(conf)}
    return tuple(name for name in sandbox_classes() if name not in own)


def without_operators(settings: Mapping[str, str], conf: SystemConf) -> dict[str, str]:
    """The sandbox's settings without those of a CRM of which the operator has set one of the
    names: a real base URL must never get the sandbox's credentials, nor the reverse."""
    found = dict(settings)
    for name in sandbox_classes():
        names = {setting.name for setting in crm(name).settings} & settings.keys()
        if any(conf.configured(each) for each in names):
            found = {key: value for key, value in found.items() if key not in names}
    return found
