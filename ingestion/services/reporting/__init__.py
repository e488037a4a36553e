"""What pages, API and monitoring show: dashboard, history, charts, metrics, health.

May use: installation_conf, worker_pool, waiting, tasks, requests, security, infra, conf, models, pool, sync.common.
Entry points: charts, dashboard, health, history, metrics, readiness, reruns, run_steps,
    route_figures, settings_overview, task_list.
"""
