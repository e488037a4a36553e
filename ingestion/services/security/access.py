"""Who may do what: the permissions, the ready-made groups, and the mode in which nobody changes
anything."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission

from ingestion.conf import site_conf

APP = "ingestion"


class Right(StrEnum):
    """The permissions of ``models.WorkerPoolRights``."""

    VIEW = "view_worker_pool"
    OPERATE = "operate_worker_pool"
    CONFIGURE = "configure_worker_pool"
    SCHEDULE = "manage_schedules"
    PERSONAL = "view_personal_data"
    QUERY = "query_data"


GROUPS: Mapping[str, tuple[Right, ...]] = {
    "Viewers": (Right.VIEW,),
    "Operators": (Right.VIEW, Right.OPERATE),
    "Administrators": tuple(Right),
}

User = AbstractBaseUser | AnonymousUser


def may(user: User, right: Right | str) -> bool:
    """Whether somebody holds a right; an inactive or unknown user holds none."""
    has_perm: Any = getattr(user, "has_perm", None)
    return bool(has_perm and has_perm(f"{APP}.{Right(right)}"))


def is_read_only() -> bool:
    """Whether this installation shows everything and changes nothing through pages and API."""
    return site_conf().read_only


def ensure_groups(**signal: Any) -> None:
    """Make the ready-made groups that are missing. What an administrator made of one stays."""
    known = {p.codename: p for p in Permission.objects.filter(content_type__app_label=APP)}
    if not known.keys() >= {str(right) for right in Right}:
        return  # the database has not come so far yet
    for name, rights in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(known[right] for right in rights)
