"""Endpoints of the pool: tasks, their order, bulk actions, queue, limits, status, doctor.

May use: api.http, api.schemas, services, ingestion.pool.
Entry points: tasks.
"""
