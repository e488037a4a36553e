"""The rules of the worker pool: tasks, their states, and what every store must do.

May use: nothing, neither Django nor Celery.
Entry points: change, clock, controls, errors, keys, order_rule, overlap, queue_place, record, snapshot,
    store, task, waits.
"""
