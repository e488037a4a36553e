"""A CRM that keeps failing is left in peace, and tried again by one run.

May use: worker_pool, requests, security, infra, conf, models, pool, sync.common.
Entry points: breaker, judgement.
"""
