"""The subcommands of manage_schedules, manage_automation and manage_notices.

May use: cli, models, pool, services.
Entry points: automation, first_syncs, lines, notices, parser.
"""
