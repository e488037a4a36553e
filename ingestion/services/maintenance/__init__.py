"""The nightly work: open rows that nobody holds are closed, an old history is cut.

May use: worker_pool, doctor, tasks, security, beat, conf, models, pool.
Entry points: stale_syncs.
"""
