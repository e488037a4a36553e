"""Errors for Sentry: exceptions of requests and tasks, and what is logged as an error, without secrets.

Each text of an event passes the project's own masking before it leaves the process. No local
variables, no bodies of requests, no addresses and no names of people are sent.
"""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport
from sentry_sdk.types import Event, Hint

from ingestion import __version__
from ingestion.conf import TelemetryConf
from ingestion.services.security.secrets import beginning, mask_json

LONGEST_TEXT = 10_000
FLUSH_SECONDS = 2
# Whatever they hold, nobody needs it to find an error.
LEFT_OUT = ("cookies", "data", "env", "query_string")


def connect(conf: TelemetryConf, *, transport: type[Transport] | None = None) -> None:
    """``transport``: in place of HTTP, for tests."""
    sentry_sdk.init(
        dsn=conf.sentry_dsn,
        transport=transport,
        release=f"data-warehouse@{__version__}",
        environment=conf.environment,
        # The others would watch what is none of theirs, such as Redis and its keys.
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(signals_spans=False),
            # Its headers would come from whoever has ended the task before.
            CeleryIntegration(propagate_traces=False),
        ],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=20,
        shutdown_timeout=FLUSH_SECONDS,
        before_send=without_secrets,
        before_breadcrumb=lambda crumb, _: masked(crumb),
    )


def without_secrets(event: Event, _: Hint) -> Event | None:
    request = event.get("request")
    if isinstance(request, dict):
        for name in LEFT_OUT:
            request.pop(name, None)
    event.pop("server_name", None)
    found: Event = masked(event)
    return found


def masked(value: Any) -> Any:
    return mask_json(_shortened(value))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value]
    return beginning(value, LONGEST_TEXT) if isinstance(value, str) else value
