"""The entries that Celery beat reads, kept as the schedules say, and their arithmetic.

May use: models.
Entry points: entries, recurrence.
"""
