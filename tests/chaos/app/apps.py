"""Gives every process of the chaos a clock of the pool that can be moved for all of them at once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from ingestion.pool.redis_store import RedisPoolStore

CLOCK_FILE = Path(os.environ.get("CHAOS_CLOCK_FILE", os.devnull))


class ChaosConfig(AppConfig):
    name = "tests.chaos.app"
    label = "chaos"

    def ready(self) -> None:
        """Redis's own clock cannot be moved; what the pool adds to it can."""
        moved: Any = property(lambda _: clock_offset_seconds(), lambda _, __: None)
        RedisPoolStore.clock_offset_seconds = moved


def clock_offset_seconds() -> float:
    with suppress(OSError, ValueError):
        return float(CLOCK_FILE.read_text())
    return 0.0
