"""A store in the memory of one process: for tests, and as the engine of the ledger's store.

May use: pool.
Entry points: page, store.
"""
