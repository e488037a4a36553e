"""The pages, which show and never change: their scripts send every change to the API.

May use: conf, models, pool, services, sync.common.
Entry points: access, automation, context, crms, history, home, metrics, read_only, records,
    reports, schedules, status.
"""
