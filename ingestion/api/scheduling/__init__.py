"""Endpoints of schedules: list, create, change, run, import and export.

May use: api.http, api.schemas, services, ingestion.pool, models.
Entry points: none.
"""
