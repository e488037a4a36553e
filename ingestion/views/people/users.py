"""Users and groups."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from ingestion.pool.errors import PoolError
from ingestion.services.security import people
from ingestion.services.security.access import Right
from ingestion.views.access import page
from ingestion.views.people.common import carried_out, change_of, post, user_of

RIGHTS = {
    Right.VIEW: "look at everything",
    Right.OPERATE: "submit, cancel and order syncs",
    Right.CONFIGURE: "set limits, settings, users and tokens",
    Right.SCHEDULE: "make and change schedules",
    Right.PERSONAL: "see personal data",
    Right.QUERY: "ask in SQL",
}


@page(Right.CONFIGURE)
def users(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, **more: Any) -> HttpResponse:
    groups = Group.objects.order_by("name").prefetch_related("user_set", "permissions")
    shown = [(group, people.rights_of(group)) for group in groups]
    context = {
        "users": _users().order_by(get_user_model().USERNAME_FIELD).prefetch_related("groups"),
        "groups": shown,
        "rights": list(RIGHTS.items()),
        **more,
    }
    return render(request, "ingestion/people/users.html", context)


@post
def create(request: HttpRequest) -> HttpResponse:
    """The answer shows the password, this one time."""
    try:
        made = people.create(
            request.POST.get("name", "").strip(),
            groups=_groups(request),
            by=user_of(request),
            change=change_of(request),
        )
    except PoolError as problem:
        messages.error(request, str(problem))
        return redirect("users")
    return _page(request, made=made)


@post
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    found = get_object_or_404(_users(), pk=user_id)
    return carried_out(
        request,
        lambda: people.set_access(
            found,
            groups=_groups(request),
            is_active="is_active" in request.POST,
            by=user_of(request),
            change=change_of(request),
        ),
        done=f"{found.get_username()} was changed.",
        to="users",
    )


@post
def reset_password(request: HttpRequest, user_id: int) -> HttpResponse:
    """The answer shows the password, this one time."""
    found = get_object_or_404(_users(), pk=user_id)
    try:
        made = people.reset_password(found, by=user_of(request), change=change_of(request))
    except PoolError as problem:
        messages.error(request, str(problem))
        return redirect("users")
    return _page(request, made=made)


@post
def delete(request: HttpRequest, user_id: int) -> HttpResponse:
    found = get_object_or_404(_users(), pk=user_id)
    return carried_out(
        request,
        lambda: people.delete(found, by=user_of(request), change=change_of(request)),
        done=f"{found.get_username()} was deleted.",
        to="users",
    )


@post
def set_group(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "").strip()
    rights = [right for right in Right if right in request.POST.getlist("rights")]
    return carried_out(
        request,
        lambda: people.set_group(name, rights, by=user_of(request), change=change_of(request)),
        done=f"The group {name} is set.",
        to="users",
    )


@post
def delete_group(request: HttpRequest, group_id: int) -> HttpResponse:
    found = get_object_or_404(Group, pk=group_id)
    return carried_out(
        request,
        lambda: people.delete_group(found, by=user_of(request), change=change_of(request)),
        done=f"The group {found.name} was deleted.",
        to="users",
    )


def _users() -> QuerySet[User]:
    return get_user_model().objects.all()


def _groups(request: HttpRequest) -> list[Group]:
    return list(Group.objects.filter(name__in=request.POST.getlist("groups")))
