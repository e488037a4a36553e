"""The load path: from pages of records to the tables of a SQLite, PostgreSQL, DuckDB or
MariaDB warehouse, or Delta files.

May use: load.columns, load.delta, load.tables, sync.common, sync.common.threads.
Entry points: accept, hashes, pipeline, run, reading, keys, loading, replay.
"""
