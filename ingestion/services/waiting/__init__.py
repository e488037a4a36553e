"""Why a task waits and when it will start.

May use: tasks, requests, infra, conf, models, pool.
Entry points: usual_times, verbs, wait_reasons.
"""
