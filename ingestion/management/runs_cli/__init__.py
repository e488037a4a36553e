"""The subcommands of manage_runs.

May use: cli, models, pool, services, sync.common.
Entry points: parser.
"""
