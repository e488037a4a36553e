"""What runs in a Celery worker: one attempt of a task, its lease, its stop, the shutdown.

May use: notices, breakers, ingestion_adapter, worker_pool, tasks, runs, failover, ledger, requests, security,
    infra, conf, models, pool, sync.common.
Entry points: bootstep, draining, execute.
"""
