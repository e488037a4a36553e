"""Questions in SQL: read-only, bounded in time and rows, and unable to see what is masked.

May use: services.data, security, conf, pool, sync.common, sync.load.columns, sync.load.tables.
Entry points: answer, box, setup.
"""
