"""From a folder with settings to a site that works: what is missing, and what can be done about it.

May use: installation_conf, settings_reader, system, scheduling, worker_pool, tasks, requests, security, infra, conf, models, pool, redis_urls,
    sync.common, warehouse_urls.
Entry points: deploying, machine, servers, site, warehouse, workers.
"""
