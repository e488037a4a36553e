"""Django's backend for PostgreSQL, whose waits end at the caller's deadline.

May use: nothing.
Entry points: base.
"""
