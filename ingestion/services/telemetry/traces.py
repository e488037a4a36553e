"""One trace for each task: from its submission through all attempts to the merge of its rows.

The trace's id is the task's: a UUID has 16 bytes, as has the id of a trace. So every process knows
it without being told: who submits, which worker runs an attempt, and what the pool starts hours later.
Nothing is stored with the task, and no message carries anything. (Celery's own instrumentation puts
the sender's context into a message; but the pool's messages are sent by whoever has ended the task
before.) The root span's id is the beginning of the task's, so that its children may come first.

A process exports from a thread of its own, which no sync waits for.
"""

from __future__ import annotations

import contextvars
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from celery import current_task, signals
from django.db import DatabaseError
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from structlog.contextvars import get_contextvars

from ingestion import __version__
from ingestion.conf import TelemetryConf
from ingestion.models import SyncHistory
from ingestion.models.run_metrics import reported_models, reported_seconds
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.infra.bounds import bounded
from ingestion.services.requests.submission import Submitted
from ingestion.signals import submitted

logger = logging.getLogger(__name__)

EXPORT_SECONDS = 5
NANO = 1_000_000_000
OWN_STEPS_FIRST = ("start",)  # the others come after the models
_root: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar("root", default=None)


class OfTheTask(IdGenerator):
    """Random ids, except for the root span of a task's trace."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        root = _root.get()
        return root[0] if root else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        root = _root.get()
        return root[1] if root else self._random.generate_span_id()


def ids_of(task_id: str) -> tuple[int, int]:
    """Of the trace and of its root span. Raises ValueError unless it is a UUID."""
    trace_id = UUID(task_id).int
    return trace_id, trace_id >> 64


def is_chosen(task_id: str, share: float) -> bool:
    """The same in every process: a trace is whole or not there."""
    return ids_of(task_id)[1] < share * 2**64


class Traces:
    """``processor`` gets the spans of this process."""

    def __init__(self, conf: TelemetryConf, processor: SpanProcessor) -> None:
        self._share = conf.traces_share
        resource = Resource.create(
            {"service.name": "data-warehouse", "service.version": __version__}
        )
        self.provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=OfTheTask()
        )
        self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer("ingestion")

    def submission(self, became: Submitted, *, ended_ns: int) -> None:
        task = became.task
        if not is_chosen(task.id, self._share):
            return
        about = {**_route(task.crm_source, task.sync_type, task.id), **_submitted_by()}
        began_ns = min(_ns(task.queued_at), ended_ns)
        caller = trace.get_current_span().get_span_context()
        links = [trace.Link(caller)] if caller.is_valid else []
        if became.coalesced_into:  # of the task that was there already
            with self._of(task.id) as context:
                began_ns = ended_ns
                span = self._tracer.start_span(
                    "submit, coalesced", context, attributes=about, links=links, start_time=began_ns
                )
        else:
            token = _root.set(ids_of(task.id))
            try:
                span = self._tracer.start_span(
                    "submit",
                    trace.set_span_in_context(trace.INVALID_SPAN),
                    attributes=about,
                    links=links,
                    start_time=began_ns,
                )
            finally:
                _root.reset(token)
        span.end(ended_ns)

    def attempt(self, seen: Attempt, row: Mapping[str, Any]) -> None:
        """``row``: of the ledger, as it stands after the attempt."""
        if not is_chosen(seen.task_id, self._share):
            return
        about = _route(row["crm_source"], row["sync_type"], seen.task_id)
        with self._of(seen.task_id) as root:
            if seen.number == 1:
                waiting = self._tracer.start_span(
                    "waiting", root, attributes=about, start_time=_ns(row["created_at"])
                )
                waiting.end(max(seen.began_ns, _ns(row["created_at"])))
            span = self._tracer.start_span(
                f"attempt {seen.number}",
                root,
                attributes={**about, "dw.attempt": seen.number, "dw.run": row["id"]},
                start_time=seen.began_ns,
            )
            has_ended = row["end_time"] is not None and row["attempt"] == seen.number
            if has_ended:
                span.set_attributes({"dw.status": row["status"], **_counts(row)})
                self._steps(span, seen.began_ns, row["performance_metrics"])
            if seen.has_failed or (has_ended and row["status"] == SyncHistory.Status.FAILED):
                span.set_status(Status(StatusCode.ERROR, row["error_class"] or None))
            span.end(seen.ended_ns)

    def _steps(self, attempt: trace.Span, began_ns: int, metrics: object) -> None:
        """A step takes turns with others, page by page: it is shown once, as long as all of it took,
        after the steps that began before it."""
        own = reported_seconds(metrics)
        inside, at = trace.set_span_in_context(attempt), began_ns
        first = {name: own[name] for name in OWN_STEPS_FIRST if name in own}
        at = self._in_a_row(first, inside, at)
        for model in reported_models(metrics):
            span = self._tracer.start_span(f"model {model['model']}", inside, start_time=at)
            at = self._in_a_row(model["seconds"], trace.set_span_in_context(span), at)
            span.end(at)
        self._in_a_row({name: own[name] for name in own if name not in first}, inside, at)

    def _in_a_row(self, seconds: Mapping[str, float], inside: Any, at: int) -> int:
        """When the last of them ends."""
        for name, lasted in seconds.items():
            span = self._tracer.start_span(
                name, inside, attributes={"dw.is_sum": True}, start_time=at
            )
            at += round(lasted * NANO)
            span.end(at)
        return at

    @contextmanager
    def _of(self, task_id: str) -> Iterator[Any]:
        """The context of the task's root span, which another process may have made."""
        trace_id, span_id = ids_of(task_id)
        root = SpanContext(
            trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
        yield trace.set_span_in_context(NonRecordingSpan(root))


@dataclass
class Attempt:
    """What a worker process sees of an attempt, in nanoseconds since 1970."""

    task_id: str
    number: int
    began_ns: int
    ended_ns: int = 0
    has_failed: bool = False


def _route(crm_source: str, sync_type: str, task_id: str) -> dict[str, str]:
    return {"dw.crm": crm_source, "dw.sync_type": sync_type, "dw.task": task_id}


def _submitted_by() -> dict[str, str]:
    """No names of people: an HTTP request, whose id stands in the logs, a Celery task, as a schedule
    is one, or a command."""
    if request_id := get_contextvars().get("request_id"):
        return {"dw.entry_point": "http", "dw.request": str(request_id)}
    return {"dw.entry_point": "celery" if current_task else "command"}


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    return {f"dw.{name}": row[name] for name in COUNTS}


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000


COUNTS = tuple(
    f"records_{name}" for name in ("processed", "created", "updated", "deleted", "failed")
)
COLUMNS = (
    *("id", "crm_source", "sync_type", "created_at", "end_time", "status", "attempt"),
    *("error_class", "performance_metrics"),
    *COUNTS,
)


class Exporting:
    """The traces of this process; a forked child has its own thread that exports."""

    def __init__(self, conf: TelemetryConf) -> None:
        self._conf = conf
        self._of_process: dict[int, Traces] = {}
        self._running: dict[str, Attempt] = {}

    @property
    def traces(self) -> Traces:
        pid = os.getpid()
        if pid not in self._of_process:
            exporter = OTLPSpanExporter(endpoint=self._conf.traces_url, timeout=EXPORT_SECONDS)
            self._of_process = {pid: Traces(self._conf, BatchSpanProcessor(exporter))}
        return self._of_process[pid]

    def on_submitted(self, became: list[Submitted], **_: Any) -> None:
        now = time.time_ns()
        for one in became:
            self.traces.submission(one, ended_ns=now)

    def on_begin(self, task_id: str, kwargs: Mapping[str, Any], **_: Any) -> None:
        if (seen := _attempt_of(kwargs)) is not None:
            self._running[task_id] = seen

    def on_end(self, task_id: str, state: str, retval: object = None, **_: Any) -> None:
        seen = self._running.pop(task_id, None)
        if seen is None or retval == "dropped":  # another process runs it, or nobody
            return
        seen.ended_ns, seen.has_failed = time.time_ns(), state == "FAILURE"
        try:
            with bounded():
                rows = SyncHistory.objects.filter(worker_pool_task_id=seen.task_id)
                row = rows.order_by().values(*COLUMNS).first()
        except (DatabaseError, LedgerUnavailable):
            logger.warning("task %s has no span of its attempt", seen.task_id, exc_info=True)
            return
        if row is not None:
            self.traces.attempt(seen, row)

    def on_exit(self, **_: Any) -> None:
        """A worker's child ends without what Python does at an exit."""
        if found := self._of_process.get(os.getpid()):
            found.provider.shutdown()


def _attempt_of(kwargs: Mapping[str, Any]) -> Attempt | None:
    """None for a task that is no sync of the pool."""
    if kwargs.keys() != {"task_id", "attempt"}:
        return None
    return Attempt(str(kwargs["task_id"]), int(kwargs["attempt"]), time.time_ns())


def connect(conf: TelemetryConf) -> Exporting:
    found = Exporting(conf)
    for signal, receiver in (
        (submitted, found.on_submitted),
        (signals.task_prerun, found.on_begin),
        (signals.task_postrun, found.on_end),
        (signals.worker_process_shutdown, found.on_exit),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"ingestion.traces.{receiver.__name__}")
    return found
