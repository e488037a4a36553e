"""The CRMs themselves: how each is set up, its documentation, and the folder of a new one.

May use: freshness, reporting, scheduling, conf, sync.common.
Entry points: crm_overview, dataset_columns, dataset_docs, env_example, new_crm, table_rows.
"""
