"""Rules that judge recorded runs and act within their limits, and the reports about them.

May use: worker_pool, reporting, runs, requests, security, infra, conf, models, pool.
Entry points: engine, html, report, reporting, rule_errors.
"""
