"""Runs a sync: one model, or all models of a CRM in the order of its table."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from structlog.contextvars import bound_contextvars, get_contextvars

from ingestion.conf import warehouse_conf
from ingestion.models import SyncHistory
from ingestion.services.infra.database import refresh_connections
from ingestion.services.requests.routing import command_name
from ingestion.services.runlog.keeping import LoggingReporter, kept, log_result
from ingestion.services.runs import direct, held
from ingestion.services.runs.in_turn import InTurn
from ingestion.services.runs.sources import source_context
from ingestion.services.security.secrets import mask, mask_error
from ingestion.sync.common.errors import (
    CredentialsError,
    NotConnected,
    NotOffered,
    PermanentError,
    QuotaExceeded,
    SyncBusy,
    SyncError,
    SyncStopped,
    TransientError,
    error_class_of,
)
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm, load_source, open_source
from ingestion.sync.common.run import ModelResult, SyncOptions, SyncResult, policy_of
from ingestion.sync.common.source import Crm, CrmSource, Meter, Model, SourceContext
from ingestion.sync.load.columns.steps import Steps

# What every further model of the same CRM would fail with, too.
ENDS_ALL = (CredentialsError, NotConnected, QuotaExceeded)
# So many models in a row that fail for a passing reason: the CRM or the warehouse is away.
FAILURES_IN_A_ROW = 3
MODELS = "models"

logger = logging.getLogger(__name__)


@dataclass
class RunHandle:
    """What a caller hands to a run and reads afterwards.

    ``result`` is filled as the run goes on, so that a failed run has its counts so far.
    ``opens_history`` False: the caller has a SyncHistory row of its own. ``asked`` is the sync
    type that was asked for, where another one runs in its place. ``execution`` tells who runs it
    outside the pool: a ``shell``, or a schedule's worker: ``direct``.
    """

    reporter: Reporter
    result: SyncResult | None = None
    opens_history: bool = True
    asked: str | None = None
    execution: str = "shell"
    schedule_id: int | None = None


def prepare(crm_source: str) -> None:
    """Import what a run will: a signal cannot interrupt it meanwhile, so that a worker does it before
    it takes a task. Raises PermanentError, NotConnected."""
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.pipeline import session_kind

    warehouse = Warehouse(warehouse_conf().url)
    if not warehouse.is_delta:
        warehouse.url.get_dialect().import_dbapi()
    session_kind(warehouse)
    load_source(crm_source)


def run_sync(
    crm_source: str, sync_type: str, options: SyncOptions, handle: RunHandle
) -> SyncResult:
    """Run a sync and keep its SyncHistory row.

    Raises SyncError (with ``all``: one that names the models that failed, after the others have
    run) and SyncStopped.
    """
    result = handle.result = SyncResult(crm_source, sync_type)
    if not handle.opens_history:
        # The caller has bound its row.
        with kept(get_contextvars().get("run")):
            _run(result, options, handle.reporter)
        return result
    with _recorded(result, options, handle):
        _run(result, options, handle.reporter)
    return result


@contextmanager
def _recorded(result: SyncResult, options: SyncOptions, handle: RunHandle) -> Iterator[None]:
    """Opens the row, and closes it whatever happens."""
    command = command_name(result.crm_source, result.sync_type)
    row = SyncHistory.objects.create(
        crm_source=result.crm_source,
        sync_type=result.sync_type,
        endpoint=command,
        schedule_id=handle.schedule_id,
        configuration={
            **options.to_dict(),
            "asked": handle.asked or result.sync_type,
            "command": command,
            "execution": handle.execution,
            "process": direct.this_process(),
        },
    )
    try:
        bound = bound_contextvars(run=row.pk, crm=row.crm_source, model=row.sync_type)
        with bound, kept(row.pk):
            yield
    except (SyncStopped, KeyboardInterrupt) as stop:
        _close(row, result, SyncHistory.Status.CANCELLED, str(stop) or "The run was interrupted.")
        raise
    except BaseException as problem:
        message = str(problem) or type(problem).__name__
        _close(row, result, SyncHistory.Status.FAILED, message, error_class_of(problem))
        raise
    _close(row, result, result.status, result.warning)


def _close(
    row: SyncHistory, result: SyncResult, status: str, message: str | None, error_class: str = ""
) -> None:
    # The connection may have been idle for as long as the run took.
    refresh_connections()
    SyncHistory.objects.close_run(
        row.pk,
        status=status,
        error_message=mask_error(message) if message else None,
        error_class=error_class,
        counts=result.counts,
        performance_metrics=result.metrics(),
    )


def _run(result: SyncResult, options: SyncOptions, reporter: Reporter) -> None:
    steps, meter = Steps(result.seconds), Meter()
    route = f"{result.crm_source}.{result.sync_type}"
    logger.info("%s begins", route)
    try:
        with steps.timed("finish"):
            with steps.timed("start"):
                found = _crm(result.crm_source)
                models = _models(found, result.sync_type)
                context = source_context(found.name, LoggingReporter(reporter, meter), meter)
                opened = open_source(found.name, context)
            with closing(opened) as source:
                _run_models(found, models, source, context, options, result, steps)
    except SyncError as problem:
        if not any(model.error for model in result.models):  # these have told it themselves
            logger.error("%s failed: %s", route, problem)
        raise
    finally:
        result.seconds.pop(MODELS, None)  # each model tells its own


def _run_models(
    found: Crm,
    models: tuple[Model, ...],
    source: CrmSource,
    context: SourceContext,
    options: SyncOptions,
    result: SyncResult,
    steps: Steps,
) -> None:
    with steps.timed("start"):
        # Arrow and SQLAlchemy take a while to import: only a process that syncs pays for it.
        from ingestion.sync.common.warehouse import Warehouse
        from ingestion.sync.load.pipeline import ModelRun
        from ingestion.sync.load.run import Run

        conf = warehouse_conf()
        opened = Warehouse(conf.url)
    failures: dict[str, SyncError] = {}
    with closing(opened) as warehouse:
        shared = Run(
            crm=found,
            model=models[0],
            source=source,
            options=options,
            warehouse=warehouse,
            pipelines_dir=conf.pipelines_dir,
            lock_wait_seconds=conf.lock_wait_seconds,
            reporter=context.reporter,
            meter=context.meter,
            run_id=result.run_id,
            mask=mask,
            list_keys_every=timedelta(hours=conf.list_keys_hours),
            rejected_records=conf.rejected_records,
            rejected_share=conf.rejected_percent / 100,
            schema_policy=policy_of(conf.schema_policy(found.name)),
        )
        verdicts = held.verdicts(found.name)
        with steps.timed("start"):
            runs = [
                replace(shared, model=model, verdict=verdicts.get(model.name)) for model in models
            ]
            in_turn = InTurn(runs, ModelRun, at_once=conf.connections)
        with closing(in_turn):
            for outcome, run_model in in_turn.runs():
                result.models.append(outcome)
                try:
                    with bound_contextvars(model=outcome.model), steps.timed(MODELS):
                        run_model()
                        log_result(outcome)
                        if not options.dry_run:
                            held.note(found.name, outcome)
                except SyncError as problem:
                    _note(problem, outcome, of=len(models))
                    if not outcome.skipped:
                        failures[outcome.model] = problem
                    if _is_down(failures, result.models):
                        break
    _raise_what_failed(found, result, failures, of=len(models))


def _raise_what_failed(
    found: Crm, result: SyncResult, failures: dict[str, SyncError], *, of: int
) -> None:
    if failures:
        first = next(iter(failures.values()))
        raise _failure_of(failures, tried=len(result.models), of=of) from first
    if all(model.skipped for model in result.models):
        raise NotOffered(f"{found.title} offers no model; the first: {result.models[0].skipped}")


def _note(problem: SyncError, outcome: ModelResult, *, of: int) -> None:
    """Keep in the outcome why a model failed; raises what ends the run at once."""
    is_alone = of == 1
    if isinstance(problem, NotOffered) and not is_alone:
        outcome.skipped = mask_error(str(problem))
        log_result(outcome)
        return
    outcome.error = mask_error(str(problem))
    log_result(outcome)
    if is_alone or isinstance(problem, ENDS_ALL):
        raise problem


def _is_down(failures: dict[str, SyncError], tried: list[ModelResult]) -> bool:
    """Whether the last models failed one after the other in a way that passes: every request of
    each was tried several times, and a CRM with forty models would take hours to say so."""
    last = [failures.get(outcome.model) for outcome in tried[-FAILURES_IN_A_ROW:]]
    return len(last) == FAILURES_IN_A_ROW and all(
        isinstance(problem, TransientError) and not isinstance(problem, SyncBusy)
        for problem in last
    )


def _failure_of(failures: dict[str, SyncError], *, tried: int, of: int) -> SyncError:
    """One error for several: worth another attempt only if that may help every one of them."""
    name, first = next(iter(failures.items()))
    message = f"{len(failures)} of {of} models failed ({', '.join(failures)}); {name}: {first}"
    if tried < of:
        message += f" The last {of - tried} were not tried."
    classes = {problem.error_class for problem in failures.values()}
    waits = [
        p.retry_after_seconds or 0.0 for p in failures.values() if isinstance(p, TransientError)
    ]
    found: SyncError = PermanentError(message)
    if len(waits) == len(failures):
        found = TransientError(message, retry_after_seconds=max(waits) or None)
    if len(classes) == 1:
        (found.error_class,) = classes
    return found


def _crm(name: str) -> Crm:
    try:
        return crm(name)
    except LookupError as unknown:
        raise PermanentError(str(unknown.args[0])) from unknown


def _models(found: Crm, sync_type: str) -> tuple[Model, ...]:
    if sync_type == "all":
        return found.models
    try:
        return (found.model(sync_type),)
    except LookupError as unknown:
        raise PermanentError(
            f"{found.name} has no sync type {sync_type!r}; it has: {', '.join(found.sync_types)}"
        ) from unknown
