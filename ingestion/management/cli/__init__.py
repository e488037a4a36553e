"""What the command lines share: parser, options, output, exit codes, tables.

May use: pool, services, sync.common.
Entry points: cli, failures, fitting, lines, options, output, run, subcommands, tables.
"""
