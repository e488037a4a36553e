"""How many workers may be asked for: one bound, wherever it is asked."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from ingestion.pool.controls import MAX_WORKERS_MAX, MAX_WORKERS_MIN, checked_limit
from ingestion.pool.errors import InvalidLimit

FORM = "templates/ingestion/dashboard/action.html"
BOUND = re.compile(r"\"(?:MAX_SYNC|AUTOMATION_MAX)_WORKERS\", \d+, minimum=(\d+), maximum=(\d+)")


def test_the_pool_takes_what_lies_within() -> None:
    for number in (MAX_WORKERS_MIN, MAX_WORKERS_MAX):
        assert checked_limit(number) == number
    for number in (MAX_WORKERS_MIN - 1, MAX_WORKERS_MAX + 1):
        with pytest.raises(InvalidLimit):
            checked_limit(number)


def test_settings_and_dashboard_have_the_bound_of_the_pool() -> None:
    source = (settings.BASE_DIR / "data_warehouse" / "settings.py").read_text()
    bounds = [(int(least), int(most)) for least, most in BOUND.findall(source)]
    assert bounds == [(MAX_WORKERS_MIN, MAX_WORKERS_MAX)] * 2
    form = (settings.BASE_DIR / FORM).read_text()
    assert f'min="{MAX_WORKERS_MIN}" max="{MAX_WORKERS_MAX}" x-model="form.max_workers"' in form
