"""Stuck in a request."""

from __future__ import annotations

from tests.fakeapp.stuck import StuckCommand, wait_in_recv


class Command(StuckCommand):
    sync_type = "calls"

    def get_stuck(self) -> None:
        wait_in_recv()
