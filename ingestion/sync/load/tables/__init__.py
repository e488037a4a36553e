"""The tables of a warehouse and its sessions, in the SQL of SQLite, PostgreSQL, DuckDB and
MariaDB.

May use: load.columns, sync.common, sync.common.files, warehouse_urls.
Entry points: duckdb, mariadb, own_tables, postgres, readers, session, sqlite, statements, stored,
    table.
"""
