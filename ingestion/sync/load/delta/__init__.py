"""Loads into Delta tables, through DuckDB.

May use: load.tables, sync.common, sync.common.files.
Entry points: session.
"""
