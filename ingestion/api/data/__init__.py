"""Endpoints that read the warehouse's rows: lists, rows, changes, and questions in SQL.

May use: api.http, services, sync.common.
Entry points: none.
"""
