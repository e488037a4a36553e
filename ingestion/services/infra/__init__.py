"""What every service stands on: database, Redis client, caches, cursors, idempotency.

May use: settings_reader, conf, models, pool, redis_urls, sync, sync.common.
Entry points: access_log, bounds, cursor, database, idempotency, preparation, redis_cache, request_rates,
    response_cache, sandboxed, sole_user, throttle, verbs.
"""
