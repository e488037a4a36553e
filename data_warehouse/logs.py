"""How logs are written: one event a line, with the ids that are bound, without secrets.

All stands in files. A command shows people warnings on stderr, as stdout is for what it prints;
web, worker and beat print nothing else, and say on stdout what they do.
"""

from __future__ import annotations

import logging.config
import sys
from typing import Any

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder, JSONRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.security.secrets import beginning, mask, mask_json
from ingestion.sync.database_errors import Trouble, trouble_of

LONGEST_LOGGED = 40_000
CONSOLE = "console"
FIRST = ("timestamp", "level", "event", "logger")
DATABASE_CLASSES = frozenset({"DatabaseError", "InterfaceError", "OperationalError"})


def outage_in_a_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A server that is away is no fault of ours: its sentence says as much as a trace, which would
    fill terminals and disks for as long as it is away."""
    raised = event.get("exc_info")
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException) and _is_outage(error):
        del event["exc_info"]
        event["event"] = f"{event['event']}: {(str(error) or type(error).__name__).splitlines()[0]}"
    return event


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, PoolUnavailable):
        return True
    # By their names: Django's, the drivers' and kombu's share these and no base.
    is_servers = any(kind.__name__ in DATABASE_CLASSES for kind in type(error).__mro__)
    return is_servers and trouble_of(error) is not Trouble.FAULT


# Of every record, whether it comes from structlog or from logging.
EVENT = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
    CallsiteParameterAdder({CallsiteParameter.PROCESS}),
    outage_in_a_line,
    structlog.processors.format_exc_info,
    ProcessorFormatter.remove_processors_meta,
)


def configure(logging_settings: dict[str, Any]) -> None:
    """Django's ``LOGGING_CONFIG``."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(logging_settings)


def speak_on_stdout() -> None:
    """From here on this process says on stdout all that it logs: it serves, and has no reader. May be
    called again, as in the children of a worker."""
    for handler in logging.getLogger().handlers:
        if handler.name == CONSOLE and isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.NOTSET)
            handler.setStream(sys.__stdout__)


def json_formatter() -> ProcessorFormatter:
    """For programs. Masked before it is rendered, so that it stays JSON."""
    render = JSONRenderer(default=lambda value: mask(repr(value)))
    return ProcessorFormatter(processors=[*EVENT, _masked_event, render])


def console_formatter() -> ProcessorFormatter:
    """For people; a traceback takes further lines."""
    render = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    return ProcessorFormatter(processors=[*EVENT, render, _masked_text])


def is_no_health_check(record: logging.LogRecord) -> bool:
    """False for Django's error line of a health check that says no: whoever asks knows the answer,
    and asks every few seconds."""
    request = getattr(record, "request", None)
    return not getattr(request, "path", "").startswith("/health/")


def _masked_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    named = {**{name: event[name] for name in FIRST}, **event}
    masked: EventDict = mask_json({name: _short(value) for name, value in named.items()})
    return masked


def _masked_text(_: WrappedLogger, __: str, line: Any) -> str:
    return mask(_short(line))


def _short(value: Any) -> Any:
    return beginning(value, LONGEST_LOGGED) if isinstance(value, str) else value
