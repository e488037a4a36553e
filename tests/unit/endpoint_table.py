"""What every endpoint asks: exact rows, none is left to a default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from ingestion.models import AutomationReport, RuleAct, SyncHistory, SyncSchedule
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation import report
from ingestion.services.security.access import Right

Asks = dict[str, Right | None]

VIEW: Asks = {"GET": Right.VIEW}
OPERATE: Asks = {"POST": Right.OPERATE}
CONFIGURE: Asks = {"POST": Right.CONFIGURE}
SCHEDULE: Asks = {"POST": Right.SCHEDULE}
# Those who are logged in, whatever they may do.
SELF: Asks = {"GET": None, "POST": None, "PUT": None}
# Open to everybody: coming and going, and what load balancers ask.
OPEN = {
    "login/", "logout/", "health/live", "health/ready", "api/",
    "admin/login/", "admin/logout/",
}  # fmt: skip

# Methods that are not named are refused, whoever asks.
ENTRY_POINTS: dict[str, Asks] = {
    # pages
    "": VIEW,
    "history/": VIEW,
    "history/<int:history_id>/": VIEW,
    "crms/": VIEW,
    "crms/<slug:name>/": VIEW,
    "crms/<slug:name>/<slug:model>/": VIEW,
    "data/": VIEW,
    "data/sql/": {"GET": Right.QUERY},
    "schedules/": VIEW,
    "schedules/new/": {"GET": Right.SCHEDULE},
    "schedules/<int:schedule_id>/": VIEW,
    "schedules/<int:schedule_id>/edit/": {"GET": Right.SCHEDULE},
    "automation/": VIEW,
    "reports/": VIEW,
    "reports/<int:report_id>/": VIEW,
    "reports/<int:report_id>/file/": VIEW,
    "notices/": VIEW,
    "audit/": VIEW,
    "settings/": VIEW,
    "users/": {"GET": Right.CONFIGURE},
    "users/create/": CONFIGURE,
    "users/<int:user_id>/change/": CONFIGURE,
    "users/<int:user_id>/password/": CONFIGURE,
    "users/<int:user_id>/delete/": CONFIGURE,
    "groups/set/": CONFIGURE,
    "groups/<int:group_id>/delete/": CONFIGURE,
    "tokens/": {"GET": Right.CONFIGURE},
    "tokens/create/": CONFIGURE,
    "tokens/revoke/": CONFIGURE,
    "password/": SELF,
    "password/done/": {"GET": None},
    "metrics": VIEW,
    # the API
    "api/docs": VIEW,
    "api/openapi.json": VIEW,
    "api/me": VIEW,
    "api/status": VIEW,
    "api/status/": VIEW,
    "api/dashboard": VIEW,
    "api/dashboard/charts": VIEW,
    "api/datasets": VIEW,
    "api/datasets/<crm_source>/<model>/freshness": {"PUT": Right.CONFIGURE},
    "api/tasks": VIEW | OPERATE,
    "api/tasks/<task_id>": VIEW,
    "api/submissions": OPERATE,
    "api/tasks/<task_id>/cancel": OPERATE,
    "api/tasks/<task_id>/retry": OPERATE,
    "api/tasks/<task_id>/prioritize": OPERATE,
    "api/tasks/<task_id>/priority": OPERATE,
    "api/tasks/<task_id>/front": OPERATE,
    "api/tasks/<task_id>/hold": OPERATE,
    "api/tasks/<task_id>/release": OPERATE,
    "api/forecast": VIEW,
    "api/bulk": OPERATE,
    "api/bulk/preview": OPERATE,
    "api/queue/process": OPERATE,
    "api/queue/clear": OPERATE,
    "api/limits": VIEW | {"PUT": Right.CONFIGURE},
    "api/limits/<crm_source>": {"PUT": Right.CONFIGURE},
    "api/priority-aging": {"PUT": Right.CONFIGURE},
    "api/pause": CONFIGURE,
    "api/datasets/<crm_source>/<model>/deletions/accept": OPERATE,
    "api/datasets/<crm_source>/<model>/deletions/dismiss": OPERATE,
    "api/breakers": VIEW,
    "api/breakers/<crm_source>/open": CONFIGURE,
    "api/breakers/<crm_source>/close": CONFIGURE,
    "api/resume": CONFIGURE,
    "api/history": VIEW,
    "api/history.csv": VIEW,
    "api/history/retry": OPERATE,
    "api/history/<history_id>": VIEW,
    "api/history/<history_id>/log": VIEW,
    "api/history/<history_id>/log.txt": VIEW,
    "api/history/<history_id>/retry": OPERATE,
    "api/audit": VIEW,
    "api/notices": VIEW,
    "api/notices/channels/<channel>": {"PATCH": Right.CONFIGURE},
    "api/notices/channels/<channel>/test": CONFIGURE,
    "api/settings": VIEW,
    "api/data": VIEW,
    "api/data/<crm_source>/<model>": VIEW,
    "api/data/query": {"POST": Right.QUERY},
    "api/data/<crm_source>/<model>/rows": VIEW,
    "api/data/<crm_source>/<model>/changes": VIEW,
    "api/crms": VIEW,
    "api/crms/<crm_source>": VIEW,
    "api/crms/<crm_source>/check": OPERATE,
    "api/schedules": VIEW | SCHEDULE,
    "api/schedules/preview": SCHEDULE,
    "api/schedules/findings": VIEW,
    "api/schedules/export": VIEW,
    "api/schedules/import": SCHEDULE,
    "api/schedules/<schedule_id>": VIEW | {"PATCH": Right.SCHEDULE, "DELETE": Right.SCHEDULE},
    "api/schedules/<schedule_id>/enable": SCHEDULE,
    "api/schedules/<schedule_id>/disable": SCHEDULE,
    "api/schedules/<schedule_id>/run": SCHEDULE,
    "api/schedules/<schedule_id>/runs": VIEW,
    "api/automation/rules": VIEW,
    "api/automation/rules/<rule>": {"PATCH": Right.SCHEDULE},
    "api/automation/run": SCHEDULE,
    "api/automation/acts": VIEW,
    "api/automation/acts/<act_id>/approve": SCHEDULE,
    "api/automation/acts/<act_id>/dismiss": SCHEDULE,
    "api/reports": VIEW | SCHEDULE,
    "api/reports/<report_id>": VIEW,
    "api/doctor": VIEW,
    "api/doctor/repair": CONFIGURE,
    "api/doctor/heal": CONFIGURE,
    "api/repair": CONFIGURE,
    "api/reset": CONFIGURE,
}
# Where other endpoints stand: what they ask for is told by their own tests; here nobody walks in.
OTHERS = ("metrics",)


@dataclass
class Endpoint:
    route: str
    path: str
    asks: Asks


def routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + re.sub(r"[\^$]|\\Z", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def is_of_admin(route: str) -> bool:
    return route.startswith("admin/")


def path_of(route: str, row: SyncHistory) -> str:
    """With arguments that lead to something, but for people: whoever walks would end their own
    session."""
    filled = route.replace("<int:user_id>", "0")
    filled = re.sub(r"<(?:\w+:)?(history_id|\w*id)>", str(row.pk), filled)
    filled = filled.replace(f"tasks/{row.pk}", f"tasks/{row.worker_pool_task_id}")
    return "/" + re.sub(r"<[^>]+>", "hubspot", filled)


def endpoints(row: SyncHistory) -> list[Endpoint]:
    found = [route for route in routes() if not is_of_admin(route) and route not in OPEN]
    return [Endpoint(route, path_of(route, row), ENTRY_POINTS[route]) for route in found]


def others(route: str) -> bool:
    return route.startswith(OTHERS)


def things_of_its_id(pk: int, text: str = "t") -> None:
    """What the other endpoints with an id lead to."""
    fields = {"name": text, "every": 1, "period": "hours", "recurrence": "interval"}
    SyncSchedule.objects.create(pk=pk, crm_source="hubspot", model_name="deals", **fields)
    RuleAct.objects.create(
        pk=pk, rule="handle_zero_records", subject=text, sentence=text, outcome="proposed"
    )
    made = report.make(change=ChangeRequest(by=text))
    AutomationReport.objects.filter(pk=made.pk).delete()
    AutomationReport.objects.create(
        pk=pk, period_start=made.period_start, period_end=made.period_end, content=made.content
    )
