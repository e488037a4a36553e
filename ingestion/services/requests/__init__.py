"""What may be asked for: routes, parameters, and the check of a submission.

May use: security, conf, pool, sync.common.
Entry points: parameters, routing, submission, sync_commands, sync_queues.
"""
