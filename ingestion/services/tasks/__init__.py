"""The life of a task, and what operators do to tasks, limits and pauses.

May use: failover, ledger, requests, security, infra, conf, models, pool, signals, sync.common.
Entry points: aging, bulk, chains, controls, dispatch, lifecycle, limits, outcomes, pool_state, queue_actions,
    repairs, submissions, upkeep.
"""
