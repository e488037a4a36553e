"""What every endpoint shares: who calls, types of requests and of answers, one form of errors.

May use: services, ingestion.pool.
Entry points: closed, errors, middleware, old_names, requests, responses, security.
"""
