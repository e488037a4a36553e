"""The subcommands of manage_data.

May use: cli, services, sync.common.
Entry points: parser.
"""
