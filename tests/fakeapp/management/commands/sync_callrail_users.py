"""Stuck in a loop that goes on after every exception."""

from __future__ import annotations

from tests.fakeapp.stuck import StuckCommand, swallow


class Command(StuckCommand):
    sync_type = "users"

    def get_stuck(self) -> None:
        swallow(Exception)
