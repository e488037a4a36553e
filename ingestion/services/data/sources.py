"""The warehouse as dbt's sources: tables, keys, and how fresh each must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ingestion.conf import warehouse_conf
from ingestion.services.data.errors import InvalidQuestion
from ingestion.services.freshness.datasets import Dataset, datasets
from ingestion.sync.common.names import WATERMARKS_TABLE, column_name
from ingestion.sync.common.registry import crm
from ingestion.warehouse_urls import is_delta

# dbt counts in whole units.
MINUTE_SECONDS: Final = 60


def sources_yml() -> str:
    """For dbt 1.10 and newer: a file for the models' folder. It is JSON, which is YAML too. A dataset is
    as fresh as the last load that ended well: rows that did not change keep their ``_synced_at``, so
    the load's own table is asked. Raises InvalidQuestion."""
    if is_delta(warehouse_conf().url):
        raise InvalidQuestion(
            "Delta files are no database that dbt could ask: name their folders to an engine that reads"
            " Delta, such as dbt-duckdb."
        )
    found: dict[str, list[dict[str, Any]]] = {}
    for one in datasets():
        if one.last_success is not None:
            found.setdefault(one.crm_source, []).append(_table(one))
    sources = [_source(name, tables) for name, tables in found.items()]
    return json.dumps({"version": 2, "sources": sources}, indent=2)


def _source(crm_source: str, tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": crm_source,
        "description": f"Loaded from {crm(crm_source).title}",
        "schema": crm_source,
        "tables": tables,
    }


def _table(one: Dataset) -> dict[str, Any]:
    declared = crm(one.crm_source).model(one.model)
    key = [column_name(name) for name in declared.key]
    tests = {"data_tests": ["unique", "not_null"]} if len(key) == 1 else {}
    # dbt expands {{ }} in what it reads.
    config: dict[str, Any] = {"freshness": dict(_freshness(one)) or None}
    if config["freshness"]:
        config["loaded_at_query"] = _loaded_at(one)
    return {
        "name": one.model,
        "description": declared.note.replace("{", "(").replace("}", ")"),
        "config": config,
        "columns": [{"name": name, **tests} for name in key],
    }


def _loaded_at(one: Dataset) -> str:
    table = f"{one.crm_source}.{WATERMARKS_TABLE}"
    if warehouse_conf().url.startswith("sqlite"):
        # SQLite keeps times as text, in UTC.
        column = "max(updated_at) || '+00:00'"
    else:
        column = "max(updated_at)"
    return f"select {column} from {table} where model = '{one.model}'"  # noqa: S608  # dbt's own


def _freshness(one: Dataset) -> Iterator[tuple[str, Any]]:
    promise = one.promise
    if promise is None:
        return
    seconds = promise.expected_seconds + promise.grace_seconds
    for name, factor in (("warn_after", 1), ("error_after", 2)):
        minutes = max(1, round(seconds * factor / MINUTE_SECONDS))
        yield name, {"count": minutes, "period": "minute"}
