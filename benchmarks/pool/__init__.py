"""How fast the pool takes tasks and runs them, beside raw Celery on the same Redis.

Needs a PostgreSQL server; starts a Redis of its own. Each figure is the median of interleaved rounds.
"""
