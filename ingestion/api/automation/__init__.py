"""Endpoints of the automation: rules, what they found, and reports.

May use: api.http, services, ingestion.pool, models.
Entry points: rules.
"""
