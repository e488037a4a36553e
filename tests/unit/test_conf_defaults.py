"""A project that adds the app sets nothing, and has the defaults that this project's own settings
have."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from ingestion import conf, settings_reader

READERS = (
    conf.pool_conf,
    conf.data_conf,
    conf.site_conf,
    conf.metrics_conf,
    conf.ledger_call_seconds,
    conf.history_conf,
    conf.automation_conf,
    conf.breaker_conf,
    conf.notice_conf,
    conf.site_url,
    conf.warehouse_conf,
)
# Read from the environment in another form.
ELSEWHERE = {"CRM_ENVIRONMENT", "VAR_DIR", "WAREHOUSE_URL", "WAREHOUSE_PIPELINES_DIR"}
ELSEWHERE |= {"AXES_COOLOFF_TIME", "DJANGO_ENV", "BASE_DIR"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every setting that was asked for, with its default, which is the answer too."""
    found: dict[str, Any] = {}

    def answer(name: str, default: Any) -> Any:
        return found.setdefault(name, default)

    for module in (conf, settings_reader):
        monkeypatch.setattr(module, "own", answer)
        monkeypatch.setattr(module, "given", answer)
    for read in READERS:
        read()
    return found


def plain(value: Any) -> Any:
    """Without the difference between a list, a tuple and what is written in the environment."""
    if isinstance(value, dict):
        value = ",".join(value.values())
    return ",".join(value) if isinstance(value, (list, tuple)) else value


def test_they_are_the_same_on_both_ways(asked: dict[str, Any]) -> None:
    own = settings.INGESTION_SETTING_DEFAULTS
    assert {"DATA_SQL_ROWS", "SYNC_HTTP_ATTEMPTS", "MAX_SYNC_WORKERS"} <= asked.keys()
    assert {name for name in asked if name not in own} <= ELSEWHERE
    different = {
        name: (default, own[name])
        for name, default in asked.items()
        if name not in ELSEWHERE and plain(default) != plain(own[name])
    }
    assert different == {}
