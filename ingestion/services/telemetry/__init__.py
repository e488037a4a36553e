"""What other programs are told of tasks and errors: traces by OpenTelemetry, errors by Sentry; each an extra, off by default.

May use: ingestion, requests, security, infra, conf, models, pool, signals.
Entry points: start.
"""
