"""Files of DuckDB and Delta.

May use: nothing.
Entry points: delta_tables, duckdb_file.
"""
