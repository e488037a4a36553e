"""With a long history in PostgreSQL no page reads more than with ten thousand runs, of which every page is
full already, and an export holds no more in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.integration.system import ROOT
from tests.integration.test_long_life import ALLOWED

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

SHORT = 10_000
# ``make ground`` takes a million, which PostgreSQL fills in some minutes.
LONG = int(os.environ.get("LONG_HISTORY_ROWS", "100000"))
# Rows and entries that nobody can be blamed for; what an export may hold beside its page.
SLACK_ROWS, SLACK_BYTES = 200, 2_000_000


def test_nothing_reads_more_of_a_longer_history(postgres_database: Callable[[], str]) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": postgres_database(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    program = [sys.executable, "-m", "tests.program", "tests.integration.long_history"]
    told = subprocess.run(
        [*program, str(SHORT), str(LONG)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    short, long = map(json.loads, told.stdout.splitlines())
    grown = {
        page: (short["pages"][page], cost)
        for page, cost in long["pages"].items()
        if cost["queries"] > short["pages"][page]["queries"]
        or cost["rows"] > ALLOWED * short["pages"][page]["rows"] + SLACK_ROWS
    }
    assert grown == {}
    assert long["export_bytes"] < ALLOWED * short["export_bytes"] + SLACK_BYTES
