"""Who may come in: users and their groups, made, changed and deleted, with an audit record of each.

A password is made here and shown once. Nobody gives rights that they do not hold, or changes somebody
who holds more, or locks themself out; and somebody who may configure always stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.security import audit
from ingestion.services.security.access import APP, Right, may

PASSWORD_BYTES = 15


class InvalidPerson(PoolError, ValueError):
    """A user needs a new name without spaces; a group needs a new name."""

    code = "INVALID_PERSON"


class NotThisPerson(PoolError, ValueError):
    """This user may not be changed in this way by this caller."""

    code = "NOT_THIS_PERSON"


@dataclass(frozen=True)
class NewPassword:
    """``password`` is shown now and never again."""

    user: User
    password: str


def create(name: str, *, groups: Sequence[Group], by: User, change: ChangeRequest) -> NewPassword:
    """Raises InvalidPerson, NotThisPerson."""
    _check_holds(by, Permission.objects.filter(group__in=groups))
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: model.normalize_username(name)})
    try:
        user.clean_fields(exclude={f.name for f in model._meta.fields} - {model.USERNAME_FIELD})
    except ValidationError as problem:
        raise InvalidPerson(f"That cannot be a name: {' '.join(problem.messages)}") from problem
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            user.groups.set(groups)
            audit.record("create_user", change=change, target=name, after=_state(user))
    except IntegrityError as problem:
        raise InvalidPerson(f"There is a user named {name!r} already.") from problem
    return NewPassword(user, password)


def set_access(
    user: User, *, groups: Sequence[Group], is_active: bool, by: User, change: ChangeRequest
) -> None:
    """Raises NotThisPerson."""
    _check(user, by)
    _check_holds(by, Permission.objects.filter(group__in=groups))
    before = _state(user)
    if user == by and not is_active:
        raise NotThisPerson("You cannot lock yourself out.")
    with transaction.atomic():
        user.is_active = is_active
        user.save(update_fields=["is_active"])
        user.groups.set(groups)
        _check_somebody_configures()
        audit.record(
            "change_user",
            change=change,
            target=user.get_username(),
            before=before,
            after=_state(user),
        )


def reset_password(user: User, *, by: User, change: ChangeRequest) -> NewPassword:
    """Ends the user's sessions too. Raises NotThisPerson."""
    _check(user, by)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record("reset_password", change=change, target=user.get_username())
    return NewPassword(user, password)


def delete(user: User, *, by: User, change: ChangeRequest) -> None:
    """What the user did stays in the audit record. Raises NotThisPerson."""
    _check(user, by)
    if user == by:
        raise NotThisPerson("You cannot delete yourself.")
    with transaction.atomic():
        name, before = user.get_username(), _state(user)
        user.delete()
        _check_somebody_configures()
        audit.record("delete_user", change=change, target=name, before=before)


def set_group(name: str, rights: Sequence[Right], *, by: User, change: ChangeRequest) -> None:
    """Make a group, or change what its members may do. Raises InvalidPerson, NotThisPerson."""
    if not name.strip() or len(name) > 150 or not name.isprintable():
        raise InvalidPerson("A group needs a name of 1 to 150 printable characters.")
    with transaction.atomic():
        group, _ = Group.objects.get_or_create(name=name)
        _check_holds(by, group.permissions.all())
        before = rights_of(group)
        ours = Permission.objects.filter(
            content_type__app_label=APP, codename__in=[str(right) for right in Right]
        )
        # Rights of other apps are Django's administration's.
        wanted = ours.filter(codename__in=[str(right) for right in rights])
        _check_holds(by, wanted)
        group.permissions.remove(*ours)
        group.permissions.add(*wanted)
        _check_somebody_configures()
        audit.record(
            "change_group",
            change=change,
            target=name,
            before=[str(right) for right in before],
            after=[str(right) for right in rights],
        )


def delete_group(group: Group, *, by: User, change: ChangeRequest) -> None:
    """Its members lose what it allowed. Raises NotThisPerson."""
    _check_holds(by, group.permissions.all())
    with transaction.atomic():
        name, before = group.name, [str(right) for right in rights_of(group)]
        group.delete()
        _check_somebody_configures()
        audit.record("delete_group", change=change, target=name, before=before)


def rights_of(group: Group) -> list[Right]:
    """Of this application."""
    held = set(
        group.permissions.filter(content_type__app_label=APP).values_list("codename", flat=True)
    )
    return [right for right in Right if right in held]


def check_may_give(rights: Sequence[Right], *, by: User) -> None:
    """Before somebody else, or a program, gets them. Raises NotThisPerson."""
    if missing := sorted(right for right in rights if not may(by, right)):
        raise NotThisPerson(f"That takes rights that you do not hold: {', '.join(missing)}.")


def _check(user: User, by: User) -> None:
    if user.is_superuser and not by.is_superuser:
        raise NotThisPerson("Only a superuser changes a superuser.")
    _check_holds(by, Permission.objects.filter(Q(user=user) | Q(group__user=user)))


def _check_holds(by: User, wanted: QuerySet[Permission]) -> None:
    held = by.get_all_permissions()
    names = wanted.values_list("content_type__app_label", "codename").distinct()
    if missing := sorted({f"{app}.{codename}" for app, codename in names} - held):
        raise NotThisPerson(f"That takes rights that you do not hold: {', '.join(missing)}.")


def _check_somebody_configures() -> None:
    """Within the transaction of a change, which it undoes."""
    active = get_user_model().objects.filter(is_active=True)
    if not any(may(user, Right.CONFIGURE) for user in active.iterator()):
        raise NotThisPerson("Nobody could change settings, users and tokens any more.")


def _state(user: User) -> dict[str, object]:
    return {
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "is_active": user.is_active,
    }
