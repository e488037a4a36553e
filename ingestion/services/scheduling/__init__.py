"""Schedules: what they may say, what they cost, when they run, and each change of one.

May use: worker_pool, runs, requests, security, infra, beat, conf, models, pool, sync.common.
Entry points: errors, fields, load, route_costs, runs, schedules, standard.
"""
