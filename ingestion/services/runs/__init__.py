"""One run of a sync, whatever started it; its rate limits, its check and its verification.

May use: runlog, requests, security, infra, conf, models, pool, runfile, sync.common, sync.load, sync.load.columns,
    sync.load.tables, sync.raw, sync.recording.
Entry points: celery_view, check, deletions, direct, held, recording, replay, runner,
    verification, verification_report.
"""
