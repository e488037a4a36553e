"""One file per command of manage.py; the sync_* ones are written by makecommands."""
