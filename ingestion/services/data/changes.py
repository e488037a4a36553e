"""What the last runs did to a dataset: how many rows, and which, by a few examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingestion.conf import data_conf
from ingestion.models import SyncHistory
from ingestion.models.run_metrics import reported_models
from ingestion.services.data.rows import plain
from ingestion.services.data.tables import DatasetTable, opened, reading
from ingestion.sync.common.names import DELETED_AT, RUN_ID, SYNCED_AT

RUNS: Final = 5
LOOKED_AT: Final = 100
EXAMPLES: Final = 3
READ_ROWS: Final = 200
SHOWN_COLUMNS: Final = 6
COUNTS: Final = ("created", "updated", "deleted")


def changes(crm_source: str, model: str, *, personal: bool) -> list[dict[str, Any]]:
    """The last runs that changed something, the latest first. ``examples``: rows as the run left them,
    with the key and some columns; those that a later run wrote stand there. Raises UnknownDataset,
    TookTooLong and WarehouseAway."""
    runs = list(_runs(crm_source, model))
    with opened(crm_source, model) as found:
        examples = _examples(found, [run["run_id"] for run in runs], personal=personal)
    return [{**run, "examples": examples.get(run["run_id"], [])} for run in runs]


def _runs(crm_source: str, model: str) -> Iterator[dict[str, Any]]:
    ended: Any = SyncHistory.objects.filter(crm_source=crm_source, end_time__isnull=False)
    count = 0
    for row in ended.order_by("-end_time")[:LOOKED_AT]:
        run_id = (row.performance_metrics or {}).get("run_id")
        for one in reported_models(row.performance_metrics):
            counts = {name: one[name] for name in COUNTS}
            if one["model"] == model and run_id and any(counts.values()):
                count += 1
                at = row.end_time.isoformat()
                yield {"history_id": row.pk, "run_id": str(run_id), "ended_at": at, **counts}
        if count >= RUNS:
            return


def _examples(
    found: DatasetTable, run_ids: list[str], *, personal: bool
) -> dict[str, list[dict[str, Any]]]:
    """One question for all runs."""
    table = found.table
    if not run_ids or not {RUN_ID, SYNCED_AT, DELETED_AT} <= found.types.keys():
        return {}
    hidden = found.hidden(personal=personal)
    telling = [n for n in found.types if n not in hidden and not n.startswith("_")]
    shown = [*found.key, *(n for n in telling if n not in found.key)][:SHOWN_COLUMNS]
    read = [table.c[n] for n in shown if n not in hidden]
    query = sa.select(*read, table.c[RUN_ID], table.c[DELETED_AT])
    query = query.where(table.c[RUN_ID].in_(run_ids)).order_by(table.c[SYNCED_AT].desc())
    with reading(found.stored.dataset, data_conf().read_seconds) as connection:
        rows = connection.execute(query.limit(READ_ROWS)).mappings().all()
    examples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of = examples[row[RUN_ID]]
        if len(of) < EXAMPLES:
            values = {n: plain(row.get(n), found.types[n]) for n in shown}
            of.append({"is_deleted": row[DELETED_AT] is not None, "values": values})
    return examples
