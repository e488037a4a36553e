"""The pages of the warehouse's data: every dataset, one with its rows, questions in SQL.

May use: views, services, conf, ingestion.pool, sync.common.
Entry points: pages.
"""
