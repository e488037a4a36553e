"""What is wrong now, who is told of it, and what became of each notice.

May use: settings_reader, freshness, breakers, reporting, worker_pool, runs, requests, security, infra, conf, models, signals, pool,
    sync.common.
Entry points: channels, deliveries, rounds, troubles, webhooks.
"""
