"""The tables of a warehouse and its sessions, in the SQL of SQLite and of PostgreSQL.

May use: load.columns, sync.common.
Entry points: own_tables, postgres, readers, session, sqlite, stored, table.
"""
