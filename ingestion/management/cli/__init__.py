"""What the command lines share: parser, options, output, exit codes, tables.

May use: pool, services.
Entry points: cli, failures, lines, options, output, run, subcommands, tables.
"""
