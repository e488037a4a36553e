"""The subcommands of manage_worker_pool, but for those about tasks.

May use: cli, pool_cli.tasks, conf, models, pool, services.
Entry points: parser.

A subcommand calls one verb of ``WorkerPoolService`` and prints the result. Data goes to stdout,
messages and errors to stderr. ``--json`` puts one JSON object on stdout; a failure is then
``{"error": {"code", "message"}}`` as the last line of stderr.
"""
