"""Who may do what, what was done by whom, and what must never be shown.

May use: infra, conf, models, pool, sync.common.
Entry points: access, addresses, api_tokens, audit, people, secrets.
"""
