"""What may be asked for: routes, parameters, and the check of a submission.

May use: security, pool, sync.common.
Entry points: parameters, routing, submission, sync_commands.
"""
