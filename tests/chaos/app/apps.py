"""Gives every process of the chaos a clock of the pool that can be moved for all of them at once."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import current_app
from celery.signals import worker_init
from django.apps import AppConfig
from django.utils import timezone

from ingestion.pool.redis.scripts import RedisScripts

LACKS = os.environ.get("CHAOS_LACKS", "")
WALL_FILE = Path(os.environ["CHAOS_WALL_FILE"]) if "CHAOS_WALL_FILE" in os.environ else None
CLOCK_FILE = Path(os.environ.get("CHAOS_CLOCK_FILE", os.devnull))


class ChaosConfig(AppConfig):
    name = "tests.chaos.app"
    label = "chaos"

    def ready(self) -> None:
        """Redis's own clock cannot be moved; what the pool adds to it can."""
        moved: Any = property(lambda _: clock_offset_seconds(), lambda _, __: None)
        RedisScripts.clock_offset_seconds = moved
        if WALL_FILE is not None:
            move_wall_clock(WALL_FILE)
        if LACKS:
            worker_init.connect(forget_task)


def move_wall_clock(file: Path) -> None:
    """What the project and its libraries ask for the time of day; sleeps and deadlines stay."""

    def moved_seconds() -> float:
        return real_time() + _number_in(file)

    def moved_now() -> datetime:
        return datetime.fromtimestamp(moved_seconds(), UTC)

    real_time, time.time = time.time, moved_seconds
    timezone.now = moved_now
    for module in [found for name, found in sys.modules.items() if name.startswith("ingestion")]:
        if hasattr(module, "utc_now"):
            module.utc_now = moved_now


def forget_task(**_: Any) -> None:
    """As a worker of an older version, which has never heard of it."""
    current_app.tasks.pop(LACKS)


def clock_offset_seconds() -> float:
    return _number_in(CLOCK_FILE)


def _number_in(file: Path) -> float:
    with suppress(OSError, ValueError):
        return float(file.read_text())
    return 0.0
