"""CRMs with those of their models that are read in different ways: the others would prove the same
again, more slowly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ingestion.services.runs import sources
from ingestion.sync.common import registry
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.source import Crm

MODELS: Mapping[str, tuple[str, ...]] = {
    "arrivy": ("tasks", "customers"),
    "callrail": ("calls", "integrations"),
    "genius": ("prospect_statuses", "leads", "prospects"),
    "hubspot": ("contacts", "owners", "associations"),
    "marketsharp": ("contacts", "companies", "notes"),
    "salespro": ("customers", "appointments", "leads"),
}


def with_few_models(name: str) -> Crm:
    found = registry.crm(name)
    wanted = MODELS.get(name, tuple(model.name for model in found.models))
    return replace(found, models=tuple(m for m in found.models if m.name in wanted))


class NoLimiter:
    """Rates have tests of their own; here they would only cost time."""

    def reserve(self, rate: Rate) -> float:
        return 0.0


def know_only(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be the only CRM, without a limit on requests."""
    monkeypatch.setattr(registry, "crms", lambda: {crm.name: crm})
    monkeypatch.setattr(sources, "shared_rate_limiter", NoLimiter)
