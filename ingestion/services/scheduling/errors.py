"""What the schedules refuse."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.pool.errors import PoolError


class InvalidSchedule(PoolError, ValueError):
    """The schedule was refused and nothing was stored. ``fields``: what is wrong, by field."""

    code = "INVALID_SCHEDULE"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {why}" for name, why in fields.items()))
        self.fields = dict(fields)


class ScheduleNotFound(PoolError, LookupError):
    """There is no such schedule."""

    code = "SCHEDULE_NOT_FOUND"


class ScheduleExists(PoolError):
    """Another schedule has this name."""

    code = "SCHEDULE_EXISTS"
