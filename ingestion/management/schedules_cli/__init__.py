"""The sub-commands of ``manage.py manage_schedules``; they write as ``manage_worker_pool`` does."""
