"""Database files that one process has open at a time.

May use: nothing.
Entry points: duckdb_file.
"""
