"""The whole system on one machine, behind manage.py up: Redis, web server, workers, beat.

May use: installation_conf, worker_pool, tasks, failover, infra, conf, models, pool, runfile, sync.common, warehouse_urls.
Entry points: crms, embedded_redis, first_load, lock, login, plan, ports, problems, processes,
    running, status.
"""
