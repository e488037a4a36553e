"""Users, groups and tokens: forms of those who may configure, each change in the audit record.

May use: models, pool, services, access.
Entry points: tokens, users.
"""
