"""Which log file a line goes to."""

from __future__ import annotations

import logging


class Without(logging.Filter):
    """Drops the lines of loggers that have a file of their own, so that a line stands once."""

    def __init__(self, loggers: tuple[str, ...]) -> None:
        super().__init__()
        self._filters = [logging.Filter(name) for name in loggers]

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(own.filter(record) for own in self._filters)


class NotHealth(logging.Filter):
    """Drops Django's error line for a health check that says no: whoever asked was told, and asks
    every few seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        return not getattr(request, "path", "").startswith("/health/")
