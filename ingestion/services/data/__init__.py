"""The rows of the warehouse for people: lists, rows, figures of columns, what changed; all masked.

May use: freshness, runs, security, infra, conf, models, pool, sync.common, sync.load, sync.load.columns,
    sync.load.tables, warehouse_urls.
Entry points: catalog, changes, errors, figures, masking, profiles, rows, sources, structure.
"""
