"""How many rows the tables of a CRM hold in the warehouse."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ingestion.conf import warehouse_conf
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.registry import crm

if TYPE_CHECKING:
    from ingestion.sync.common.warehouse import Dataset

logger = logging.getLogger(__name__)

# Counting reads a whole table.
KEPT_SECONDS = 60.0
DELETED_AT = "_deleted_at"

_lock = threading.Lock()
_kept: dict[str, tuple[float, dict[str, int | None]]] = {}


def rows_of(crm_source: str) -> dict[str, int | None]:
    """Rows by model, those that are marked as deleted left out; at most a minute old. None where
    there is no table yet, or the warehouse cannot be asked. Raises LookupError for an unknown CRM."""
    models = [model.name for model in crm(crm_source).models]
    with _lock:
        counted_at, rows = _kept.get(crm_source, (None, {}))
        if counted_at is None or time.monotonic() - counted_at >= KEPT_SECONDS:
            rows = _count(crm_source, models)
            _kept[crm_source] = (time.monotonic(), rows)
    return rows


def _count(crm_source: str, models: list[str]) -> dict[str, int | None]:
    # Arrow takes a second to import: only a process that counts pays for it.
    from ingestion.sync.common.warehouse import Warehouse

    try:
        with closing(Warehouse(warehouse_conf().url)) as warehouse:
            dataset = warehouse.dataset(crm_source)
            return {model: _rows(dataset, model) for model in models}
    except (SyncError, sa.exc.SQLAlchemyError):
        logger.warning("the rows of %s could not be counted", crm_source, exc_info=True)
        return dict.fromkeys(models)


def _rows(dataset: Dataset, model: str) -> int | None:
    columns = dataset.columns_of(model)
    if not columns:
        return None
    table = sa.table(model, *(sa.column(name) for name in columns), schema=dataset.schema)
    question = sa.select(sa.func.count()).select_from(table)
    if DELETED_AT in columns:
        question = question.where(table.c[DELETED_AT].is_(None))
    with dataset.engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
