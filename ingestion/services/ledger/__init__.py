"""The pool's rows in the database: they follow the store, and replace it while Redis is away.

May use: requests, security, infra, models, pool, pool.memory, sync.common.
Entry points: controls, entries, state, store.
"""
