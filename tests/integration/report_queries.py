"""Queries that count a report's figures again, from the same rows by other means."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

SQL = Path(__file__).parent / "report_sql"
# What SQLite and PostgreSQL say differently.
WORDS = {
    "sqlite": {
        # julianday() counts whole milliseconds, too coarse to order the slowest.
        "SECONDS": (
            "(unixepoch(end_time) - unixepoch(start_time)"
            " + CAST('0' || substr(end_time, 20, 7) AS REAL)"
            " - CAST('0' || substr(start_time, 20, 7) AS REAL))"
        ),
        "HOUR": "strftime('%Y-%m-%d %H:00', end_time)",
        "SUM_OF_REQUESTS": (
            "(SELECT COALESCE(SUM(json_extract(model.value, '$.requests')), 0)"
            " FROM json_each(performance_metrics, '$.models') AS model)"
        ),
        "SUM_OF_THROTTLED": (
            "(SELECT COALESCE(SUM(json_extract(model.value, '$.throttled')), 0)"
            " FROM json_each(performance_metrics, '$.models') AS model)"
        ),
        "MODELS": "json_each(performance_metrics, '$.models') AS model",
        "MODEL_NAME": "json_extract(model.value, '$.model')",
        "IS_LOADED": (
            "json_extract(model.value, '$.error') IS NULL"
            " AND json_extract(model.value, '$.skipped') IS NULL"
        ),
        "MODEL_SECONDS": (
            "(SELECT COALESCE(SUM(step.value), 0) FROM json_each(model.value, '$.seconds') AS step)"
        ),
        "IS_DRY": (
            "COALESCE(json_extract(configuration, '$.dry_run'),"
            " json_extract(configuration, '$.parameters.dry_run'), 0) = 1"
        ),
    },
    "postgresql": {
        "SECONDS": "EXTRACT(EPOCH FROM end_time - start_time)",
        "HOUR": "to_char(end_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:00')",
        "SUM_OF_REQUESTS": (
            "(SELECT COALESCE(SUM((model->>'requests')::int), 0)"
            " FROM jsonb_array_elements(performance_metrics->'models') AS model)"
        ),
        "SUM_OF_THROTTLED": (
            "(SELECT COALESCE(SUM((model->>'throttled')::int), 0)"
            " FROM jsonb_array_elements(performance_metrics->'models') AS model)"
        ),
        "MODELS": "jsonb_array_elements(performance_metrics->'models') AS model",
        "MODEL_NAME": "(model->>'model')",
        "IS_LOADED": "(model->>'error') IS NULL AND (model->>'skipped') IS NULL",
        "MODEL_SECONDS": (
            "(SELECT COALESCE(SUM(step.value::text::numeric), 0)"
            " FROM jsonb_each(model->'seconds') AS step)"
        ),
        "IS_DRY": (
            "COALESCE(configuration->>'dry_run',"
            " configuration->'parameters'->>'dry_run', 'false') = 'true'"
        ),
    },
}


def queries(start: datetime, end: datetime, *, vendor: str) -> dict[str, str]:
    """By the part of the report that they count; ``vendor``: ``sqlite`` or ``postgresql``."""
    moments = {"START": _moment(start, vendor), "END": _moment(end, vendor)}
    words = {**WORDS[vendor], **moments}
    return {part: _filled(text, words) for part, text in _texts().items()}


def _texts() -> dict[str, str]:
    """A file is named after its part. The rows of the period come first where they are counted."""
    rows = (SQL / "_runs.sql").read_text()
    found = {}
    for path in sorted(SQL.glob("[!_]*.sql")):
        text = path.read_text().strip()
        found[path.stem] = text.replace("--ROWS--", rows.strip())
    return found


def _filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"<{name}>", word)
    return text


def _moment(when: datetime, vendor: str) -> str:
    """As both databases compare it with a column. SQLite's text leaves a fraction of zero out."""
    plain = when.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return f"'{plain}'" if vendor == "sqlite" else f"'{plain}+00'"
