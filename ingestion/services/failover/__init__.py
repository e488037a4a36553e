"""The store of the service: Redis while it can be reached, else the ledger in its place.

May use: ledger, security, infra, conf, models, pool, pool.redis.
Entry points: connections, installation, stores.
"""
