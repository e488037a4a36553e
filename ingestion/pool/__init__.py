"""The worker pool: who may run now, and what becomes of it. Knows neither Django nor Celery."""
