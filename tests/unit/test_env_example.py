"""``.env.example`` tells every setting, and nothing that is not one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings

from data_warehouse.environment import BASE_DIR
from ingestion.services.crms import env_example
from ingestion.services.system.problems import OF_COMPOSE
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm, Setting

LINE = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
WRITTEN = dict(LINE.findall((BASE_DIR / env_example.FILE_NAME).read_text()))


def as_text(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, int | float) else str(default)


def test_lists_every_setting_that_is_read() -> None:
    assert settings.INGESTION_SETTING_DEFAULTS.keys() <= WRITTEN.keys()


def test_lists_nothing_that_nobody_reads() -> None:
    known = {setting.name for crm in crms().values() for setting in crm.settings}
    assert WRITTEN.keys() <= {*settings.INGESTION_SETTING_DEFAULTS, *known, *OF_COMPOSE}


@pytest.mark.parametrize("name", [name for name, value in WRITTEN.items() if value])
def test_shows_the_default(name: str) -> None:
    of_crms = {s.name: s.default for crm in crms().values() for s in crm.settings}
    defaults = {**of_crms, **settings.INGESTION_SETTING_DEFAULTS}
    assert WRITTEN[name] == as_text(defaults[name])


def test_the_part_of_the_crms_is_up_to_date() -> None:
    """Otherwise: manage.py makecommands."""
    assert not env_example.is_stale(BASE_DIR, crms().values())


def test_a_new_crm_comes_in_and_what_was_written_by_hand_stays() -> None:
    new = Crm(
        "acme",
        "Acme",
        (),
        "all",
        settings=(Setting("ACME_TOKEN", "A token.", secret=True, required=True),),
    )

    text = env_example.with_crms("# by hand\n" + env_example.MARK + "---\n# old\n", [new])

    assert text.startswith("# by hand\n" + env_example.MARK)
    assert text.endswith("# Acme\n# A token. Needed.\n#ACME_TOKEN=\n")
    assert "# old" not in text
