"""Stuck in a loop that goes on after everything."""

from __future__ import annotations

from tests.fakeapp.stuck import StuckCommand, swallow


class Command(StuckCommand):
    sync_type = "tags"

    def get_stuck(self) -> None:
        swallow(BaseException)
