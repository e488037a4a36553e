"""How old each dataset is, and how old it may be: promises by schedules and declared bounds.

May use: scheduling, worker_pool, beat, requests, security, infra, models, pool, sync.common.
Entry points: bounds, datasets, loads, promises.
"""
