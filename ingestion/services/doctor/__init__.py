"""What disagrees between queue, slots, ledger and workers, and the repair of each case.

May use: tasks, runs, ledger, security, conf, models, pool, sync.common.
Entry points: diagnosis, direct_runs, facts, repairs.
"""
