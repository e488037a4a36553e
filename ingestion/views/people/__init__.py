"""Users, groups and tokens: forms of those who may configure, each change in the audit record.

May use: views, services, ingestion.pool, models.
Entry points: tokens, users.
"""
