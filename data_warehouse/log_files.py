"""Django's LOGGING, in parts: handlers of files that several processes write, and loggers."""

from __future__ import annotations

from pathlib import Path


def handlers(folder: Path, *names: str) -> dict[str, dict[str, object]]:
    """One of each name; the file has its name too."""
    return {
        name: {
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            "filename": str(folder / f"{name}.log"),
            "maxBytes": 10_000_000,
            "backupCount": 5,
            "formatter": "json",
        }
        for name in names
    }


def logger(handler: str, *, level: str) -> dict[str, object]:
    return {"handlers": ["console", handler], "level": level, "propagate": False}
