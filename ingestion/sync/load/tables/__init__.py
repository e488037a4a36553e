"""The tables of a warehouse and its sessions, in the SQL of SQLite, PostgreSQL and DuckDB.

May use: load.columns, sync.common, sync.common.files.
Entry points: duckdb, own_tables, postgres, readers, session, sqlite, stored, table.
"""
