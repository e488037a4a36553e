"""Starts what is set. What is not set imports nothing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlsplit

from ingestion.conf import TelemetryConf


def start(conf: TelemetryConf) -> None:
    """Once a process, or before it forks. What cannot work is named by ``problems`` and left out."""
    if list(problems(conf)):
        return
    if conf.traces_url:
        import_module("ingestion.services.telemetry.traces").connect(conf)
    if conf.sentry_dsn:
        import_module("ingestion.services.telemetry.error_reports").connect(conf)


def problems(conf: TelemetryConf) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do."""
    if conf.traces_url and urlsplit(conf.traces_url).scheme not in ("http", "https"):
        yield (
            "TRACES_URL is no URL of HTTP.",
            "Set the address that takes OTLP over HTTP: http://collector:4318/v1/traces.",
        )
    for name, value, extra, module in (
        ("TRACES_URL", conf.traces_url, "telemetry", "opentelemetry"),
        ("SENTRY_DSN", conf.sentry_dsn, "sentry", "sentry_sdk"),
    ):
        if value and find_spec(module) is None:
            yield (
                f"{name} is set, and what it needs is not installed.",
                f"Install the extra: pip install '.[{extra}]'; or leave {name} empty.",
            )
