"""People and programs for tests of endpoints."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.test import Client

from ingestion.pool.change import ChangeRequest
from ingestion.services.freshness import datasets
from ingestion.services.infra import request_rates
from ingestion.services.reporting import charts, dashboard
from ingestion.services.security import api_tokens
from ingestion.services.waiting.run_times import run_times
from ingestion.sync.common.rate_limit import ProcessRateLimiter

PASSWORD = "correct horse battery"


def member(group: str, name: str = "ann") -> User:
    """Somebody of a ready-made group."""
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.add(Group.objects.get(name=group))
    return user


def browser(user: User, *, checks_csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks_csrf)
    client.force_login(user)
    return client


def program(scope: str, name: str = "ci") -> Client:
    """A program with a token of this scope."""
    made = api_tokens.create(name, scope=scope, expires_at=None, change=ChangeRequest(by="tests"))
    return Client(headers={"Authorization": f"Bearer {made.secret}"}, enforce_csrf_checks=True)


def forget_answers() -> None:
    """Nothing is remembered of an earlier test."""
    for shared in (dashboard.shared, charts.shared, datasets.shared):
        shared.forget()
    run_times.forget()
    request_rates._limiter = ProcessRateLimiter()
