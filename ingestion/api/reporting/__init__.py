"""Endpoints that report: dashboard, history, CRMs and the freshness of their datasets.

May use: api.http, api.pool, api.schemas, services, ingestion.pool, sync.common.
Entry points: none.
"""
