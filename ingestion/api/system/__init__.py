"""Endpoints about the installation: who calls, its settings, its audit records, notices.

May use: api.http, api.schemas, services, models.
Entry points: none.
"""
