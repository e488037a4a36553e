"""What the command lines share: parser, options, output, exit codes, tables.

May use: conf, pool, services, sync.common.
Entry points: cli, failures, fitting, lines, options, output, run, subcommands, tables.
"""
