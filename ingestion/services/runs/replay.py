"""Loads rejected records again, without asking their CRMs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ingestion.conf import warehouse_conf
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask
from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.registry import crm, crms
from ingestion.sync.common.run import SyncOptions, policy_of
from ingestion.sync.common.source import Crm, Model

if TYPE_CHECKING:
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.run import Run

LONGEST_RUN_NUMBER = 18  # digits; the ids that rows have are longer


@dataclass(frozen=True)
class Wanted:
    """Which rejected records. ``run``: the number of a run in the history, or its id as rows have
    it."""

    crm_source: str | None = None
    model: str | None = None
    run: str | None = None
    dry_run: bool = False


@dataclass
class ModelReplay:
    """What became of a model's rejected records; counts are records. ``left``: what stays, as
    key, reason and detail."""

    crm_source: str
    model: str
    records: int
    loaded: int
    created: int
    updated: int
    left: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class NoSuchRun(LookupError):
    """The history has no run of this number, or it wrote nothing."""


def replay(wanted: Wanted, reporter: Reporter, *, change: ChangeRequest) -> Iterator[ModelReplay]:
    """One report for each model with rejected records, after it was done. Raises LookupError for
    an unknown CRM, model or run, and SyncError."""
    from ingestion.sync.common.warehouse import Warehouse

    found = [crm(wanted.crm_source)] if wanted.crm_source else list(crms().values())
    of_run = _run_id(wanted.run) if wanted.run else None
    with closing(Warehouse(warehouse_conf().url)) as warehouse:
        for one in found:
            for model in [one.model(wanted.model)] if wanted.model else one.models:
                report = _replay(_run(one, model, warehouse, reporter, wanted), of_run)
                if report.records and not wanted.dry_run:
                    _record(report, change)
                if report.records:
                    yield report


def _replay(run: Run, of_run: str | None) -> ModelReplay:
    from ingestion.sync.load.replay import has_any, replay

    if not has_any(run):  # the lock of a model without any is left alone
        return ModelReplay(run.crm.name, run.model.name, 0, 0, 0, 0)
    return ModelReplay(run.crm.name, **replay(run, of_run=of_run).to_dict())


def accept(
    crm_source: str, model: str, names: Sequence[str] | None, *, change: ChangeRequest
) -> list[dict[str, Any]]:
    """Say yes to changes of a table that runs have proposed; ``names`` None: to all. Raises
    LookupError for an unknown CRM, model or change, and SyncError."""
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.accept import accept as accepted

    one = crm(crm_source)
    with closing(Warehouse(warehouse_conf().url)) as warehouse:
        run = _run(one, one.model(model), warehouse, SilentReporter(), Wanted())
        found = [proposal.to_dict() for proposal in accepted(run, names)]
    audit.record("accept", change=change, target=run.name, after={"columns": found})
    return found


def _run(one: Crm, model: Model, warehouse: Warehouse, reporter: Reporter, wanted: Wanted) -> Run:
    from ingestion.sync.load.replay import NO_SOURCE
    from ingestion.sync.load.run import Run

    conf = warehouse_conf()
    return Run(
        crm=one,
        model=model,
        source=NO_SOURCE,
        options=SyncOptions(dry_run=wanted.dry_run),
        warehouse=warehouse,
        pipelines_dir=conf.pipelines_dir,
        lock_wait_seconds=conf.lock_wait_seconds,
        reporter=reporter,
        mask=mask,
        schema_policy=policy_of(conf.schema_policy(one.name)),
    )


def _run_id(run: str) -> str:
    """Raises NoSuchRun."""
    if not (run.isdecimal() and len(run) <= LONGEST_RUN_NUMBER):
        return run
    row = SyncHistory.objects.filter(pk=int(run)).first()
    found = row.performance_metrics.get("run_id") if row else None
    if not found:
        raise NoSuchRun(f"the history has no run {run} that wrote rows")
    return str(found)


def _record(report: ModelReplay, change: ChangeRequest) -> None:
    counts = {"records": report.records, "loaded": report.loaded, "left": len(report.left)}
    audit.record(
        "replay",
        change=change,
        target=f"{report.crm_source}.{report.model}",
        before={"rejected": report.records},
        after=counts,
    )
