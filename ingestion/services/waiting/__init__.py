"""What the pool shows of its tasks: where each stands, why it waits and when it will start.

May use: tasks, runs, requests, security, infra, beat, conf, models, pool.
Entry points: usual_times, verbs, views, wait_reasons.
"""
