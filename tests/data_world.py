"""A small warehouse whose rows are known: customers of Arrivy, as people look at them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import Record
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from tests.fake_crm import FakeSource

# No test, page, answer, query or error may show one of these to whoever has no right to.
SECRETS = ("ada@example.com", "555-0101", "Lovelace", "12 St James Square", "tok-ada")
CUSTOMERS: list[Record] = [
    {"id": 1, "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com",
     "phone": "555-0101", "address_line_1": "12 St James Square", "city": "London",
     "access_token": "tok-ada", "visits": 3, "extra": {"mail": "ada@example.com"}},
    {"id": 2, "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com",
     "phone": "555-0102", "address_line_1": None, "city": "New York", "visits": 5},
    {"id": 3, "first_name": "Mary", "last_name": "Somerville", "email": None,
     "phone": None, "address_line_1": None, "city": "London", "visits": None},
]  # fmt: skip


def load_customers(records: list[Record] | None = None, **options: Any) -> ModelResult:
    """One run with its row in the history, into the warehouse of the settings."""
    return load("arrivy", "customers", CUSTOMERS if records is None else records, **options)


def load(crm_source: str, model: str, records: list[Record], **options: Any) -> ModelResult:
    one = crm(crm_source)
    result = ModelResult(model)
    with closing(Warehouse(settings.INGESTION_WAREHOUSE_URL)) as warehouse:
        run = Run(
            crm=one,
            model=replace(one.model(model), incremental="full", deletions="full_run"),
            source=FakeSource({model: list(records)}),
            options=SyncOptions(**options),
            warehouse=warehouse,
            pipelines_dir=Path(settings.INGESTION_WAREHOUSE_PIPELINES_DIR),
            lock_wait_seconds=0,
            reporter=SilentReporter(),
        )
        run_model(run, result)
    note(crm_source, model, result, run.run_id)
    return result


def note(crm_source: str, model: str, result: ModelResult, run_id: str) -> SyncHistory:
    """The run in the history."""
    ended = timezone.now()
    return SyncHistory.objects.create(
        crm_source=crm_source,
        sync_type=model,
        status="success",
        start_time=ended - timedelta(seconds=2),
        end_time=ended,
        records_processed=result.processed,
        performance_metrics={"models": [asdict(result)], "run_id": run_id},
    )
