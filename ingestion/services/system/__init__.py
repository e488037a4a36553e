"""The first run: a whole system on one machine, behind ``manage.py up``."""
