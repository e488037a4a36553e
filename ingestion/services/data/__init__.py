"""The rows of the warehouse for people: lists, rows, figures of columns, what changed; all masked.

May use: freshness, runs, security, infra, conf, models, pool, sync.common, sync.load.tables.
Entry points: catalog, errors, figures, masking, profiles, rows.
"""
