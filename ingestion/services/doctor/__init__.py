"""What disagrees between queue, slots, ledger and workers, and the repair of each case.

May use: waiting, tasks, runs, ledger, requests, security, infra, conf, models, pool, sync.common.
Entry points: diagnosis, direct_runs, facts, repairs, verbs.
"""
