"""Objects that several endpoints answer with: task, wait, controls, run, audit record, snapshot.

May use: api.http, services.freshness, ingestion.pool, models.
Entry points: audit, controls, promises, runs, snapshot, tasks, waits.
"""
