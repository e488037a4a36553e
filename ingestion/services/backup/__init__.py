"""Copies of ledger, warehouse and secrets in one folder, and the way back.

The pool's state needs no copy: Redis is built again from the ledger.

May use: installation_conf, worker_pool, infra, conf, models, pool, sync.common.
Entry points: bundle, making, restoring.
"""
