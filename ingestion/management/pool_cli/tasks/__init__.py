"""The subcommands of manage_worker_pool about tasks: submit, follow, find, explain, reorder.

May use: cli, models, pool, services.
Entry points: explaining, filters, listing, queue_actions, submit, task_ids.
"""
