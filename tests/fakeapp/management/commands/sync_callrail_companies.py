"""Stuck in C code."""

from __future__ import annotations

from tests.fakeapp.stuck import StuckCommand, hold_the_interpreter


class Command(StuckCommand):
    sync_type = "companies"

    def get_stuck(self) -> None:
        hold_the_interpreter()
