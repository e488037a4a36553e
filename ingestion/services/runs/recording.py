"""Records what a CRM sends during a run that loads nothing, for somebody who shall find its fault."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ingestion.services.runs.sources import source_context
from ingestion.services.security.secrets import mask, mask_error
from ingestion.sync.common.errors import PermanentError, SyncError
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm, open_source
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import Crm, Exchange, Meter, Model, SourceContext
from ingestion.sync.recording.bundle import Bundle
from ingestion.sync.recording.replacing import Replacing, Seen


class NotRecorded(PermanentError):
    """Nothing can be recorded of this CRM, or nothing may be written."""


@dataclass(frozen=True)
class Recording:
    """``stays`` and ``goes``: what became of the values, by field. ``failure``: why the run failed,
    which may be what the recording is for."""

    bundle: Bundle
    text: str
    stays: dict[str, Seen]
    goes: dict[str, Seen]
    failure: str | None


def record(crm_source: str, model_name: str, options: SyncOptions, reporter: Reporter) -> Recording:
    """What is exchanged in a run of ``options`` into an empty warehouse that is thrown away. Raises
    LookupError for an unknown CRM or model, NotRecorded, and SyncError where nothing was answered."""
    found = crm(crm_source)
    model = found.model(model_name)
    if found.not_recorded:
        raise NotRecorded(found.not_recorded)
    tape = _Tape()
    context = replace(source_context(found.name, reporter, Meter()), record=tape.add)
    result, problem = _run(found, model, replace(options, dry_run=True), context)
    if not tape.exchanges:
        raise problem or NotRecorded(
            f"{found.name}.{model.name} was read without a request over HTTP, so that there is"
            " nothing to record."
        )
    replacing = Replacing(found, context.settings)
    outcome = f"failed ({type(problem).__name__})" if problem else "success"
    bundle = Bundle(
        crm=found.name,
        model=model.name,
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        options=tuple(_flags(options)),
        settings=replacing.bundled_settings(),
        outcome=f"{outcome}, {result.processed} records",
        exchanges=replacing.recorded(tape.exchanges),
    )
    text = bundle.to_text()
    if replacing.has_secret(text):
        raise NotRecorded(f"A secret of {found.title} would stand in the file: nothing is written.")
    failure = mask_error(str(problem)) if problem else None
    return Recording(bundle, text, replacing.stays, replacing.goes, failure)


class _Tape:
    """Takes exchanges from several threads."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)


def _run(
    found: Crm, model: Model, options: SyncOptions, context: SourceContext
) -> tuple[ModelResult, SyncError | None]:
    # Arrow and SQLAlchemy take a while to import.
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.pipeline import run_model
    from ingestion.sync.load.run import Run

    result = ModelResult(model.name)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="recording-")))
        warehouse = opened.enter_context(closing(Warehouse(f"sqlite:///{folder / 'warehouse.db'}")))
        try:
            source = opened.enter_context(closing(open_source(found.name, context)))
            run = Run(
                found,
                model,
                source,
                options,
                warehouse,
                folder,
                reporter=context.reporter,
                meter=context.meter,
                mask=mask,
            )
            run_model(run, result)
        except SyncError as problem:
            return result, problem
    return result, None


def _flags(options: SyncOptions) -> list[str]:
    """As the sync command takes them."""
    told = options.to_dict()
    flags = ["--full"] if told.get("mode") == "full" else []
    for name in ("start_date", "end_date", "max_records", "batch_size"):
        if name in told:
            flags.append(f"--{name.replace('_', '-')}={told[name]}")
    return flags
