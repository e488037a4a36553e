"""The log of each run: its lines, kept with it while it runs, and read by pages and commands.

May use: security, infra, models, pool, sync.common.
Entry points: keeping, lines.
"""
