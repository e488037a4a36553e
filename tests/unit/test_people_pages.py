"""Users, groups and tokens are made and taken back on pages, by those who may, and recorded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from ingestion.models import ApiToken, AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.services.security import people
from ingestion.services.security.access import Right
from ingestion.views.people import users
from tests.unit.people import browser, member

pytestmark = pytest.mark.django_db

# Each change with what it sends; ids are those of ``bob`` and of the group Viewers.
CHANGES: dict[str, dict[str, Any]] = {
    "/users/create/": {"name": "carol", "groups": ["Viewers"]},
    "/users/{user}/change/": {"groups": ["Operators"], "is_active": "on"},
    "/users/{user}/password/": {},
    "/users/{user}/delete/": {"reason": "has left"},
    "/groups/set/": {"name": "Night shift", "rights": ["view_worker_pool"]},
    "/groups/{group}/delete/": {},
    "/tokens/create/": {"name": "ci", "scope": "read", "days": "30"},
    "/tokens/revoke/": {"name": "ci"},
}


@pytest.fixture
def admin() -> Client:
    return browser(member("Administrators"))


@pytest.fixture
def bob() -> User:
    return member("Viewers", "bob")


def address(path: str, bob: User) -> str:
    return path.format(user=bob.pk, group=Group.objects.get(name="Viewers").pk)


def secret_in(answer: Any) -> str:
    (found,) = re.findall(r'<code id="secret"[^>]*>([^<]+)</code>', answer.content.decode())
    return str(found)


@pytest.mark.parametrize("path", CHANGES)
def test_only_those_who_may_configure_change_anything(path: str, bob: User) -> None:
    for group in ("Viewers", "Operators"):
        client = browser(member(group, f"of {group}"))
        assert client.post(address(path, bob), CHANGES[path]).status_code == 403
    assert Client().post(address(path, bob), CHANGES[path]).status_code == 302  # to the login
    assert AuditRecord.objects.count() == 0


@pytest.mark.parametrize("path", CHANGES)
def test_no_form_of_another_site_changes_anything(path: str, bob: User) -> None:
    client = browser(member("Administrators"), checks_csrf=True)
    assert client.post(address(path, bob), CHANGES[path]).status_code == 403
    assert client.get(address(path, bob)).status_code == 405
    assert AuditRecord.objects.count() == 0


@pytest.mark.parametrize("path", ["/users/", "/tokens/"])
def test_others_do_not_see_them(path: str, admin: Client) -> None:
    assert admin.get(path).status_code == 200
    assert browser(member("Operators", "ops")).get(path).status_code == 403


def test_a_read_only_installation_changes_nothing(admin: Client, settings: Any) -> None:
    settings.INGESTION_READ_ONLY = True
    assert admin.post("/users/create/", CHANGES["/users/create/"]).status_code == 403


class TestUsers:
    def test_a_new_one_logs_in_with_the_password_that_is_shown_once(self, admin: Client) -> None:
        password = secret_in(admin.post("/users/create/", CHANGES["/users/create/"]))
        carol = User.objects.get(username="carol")
        assert carol.check_password(password)
        assert [group.name for group in carol.groups.all()] == ["Viewers"]
        assert password not in admin.get("/users/").content.decode()
        record = AuditRecord.objects.get(action="create_user")
        assert (record.actor, record.target) == ("ann (web)", "carol")
        assert password not in str(record.after)

    def test_a_wrong_name_is_refused_in_a_sentence(self, admin: Client, bob: User) -> None:
        for name, sentence in (
            ("bob", "There is a user named"),
            ("two words", "That cannot be a name: Enter a valid username."),
            ("", "That cannot be a name: This field cannot be blank."),
            ("x" * 151, "That cannot be a name: Ensure this value has at most 150 characters"),
        ):
            page = admin.post("/users/create/", {"name": name}, follow=True).content.decode()
            assert sentence in page
        assert User.objects.count() == 2

    def test_is_locked_out_at_once(self, admin: Client, bob: User) -> None:
        theirs = browser(bob)
        assert theirs.get("/history/").status_code == 200
        admin.post(f"/users/{bob.pk}/change/", {"groups": ["Viewers"]})
        assert theirs.get("/history/").status_code == 302

    def test_a_new_password_ends_the_sessions(self, admin: Client, bob: User) -> None:
        theirs = browser(bob)
        secret_in(admin.post(f"/users/{bob.pk}/password/"))
        assert theirs.get("/history/").status_code == 302

    def test_a_deleted_one_stays_in_the_record(self, admin: Client, bob: User) -> None:
        admin.post(f"/users/{bob.pk}/delete/", {"reason": "has left"})
        assert not User.objects.filter(username="bob").exists()
        record = AuditRecord.objects.get(action="delete_user")
        assert (record.target, record.reason) == ("bob", "has left")

    def test_nobody_locks_themself_out(self, admin: Client) -> None:
        me = User.objects.get(username="ann")
        admin.post(f"/users/{me.pk}/delete/")
        admin.post(f"/users/{me.pk}/change/", {"groups": ["Administrators"]})
        admin.post(f"/users/{me.pk}/change/", {"groups": ["Viewers"], "is_active": "on"})
        me = User.objects.get(username="ann")
        assert me.is_active
        assert me.groups.get().name == "Administrators"
        assert not AuditRecord.objects.exists()

    def test_only_a_superuser_changes_a_superuser(self, admin: Client) -> None:
        root = User.objects.create_superuser("root", password="x")
        for verb in ("change", "password", "delete"):
            admin.post(f"/users/{root.pk}/{verb}/")
        root.refresh_from_db()
        assert root.is_active
        assert root.check_password("x")


def test_nobody_gives_or_takes_what_they_do_not_hold() -> None:
    desk = Group.objects.create(name="Desk")
    client = browser(member("Viewers"))
    me = User.objects.get(username="ann")
    root_of_desk = User.objects.create_superuser("root", password="x")
    people.set_group(
        "Desk", [Right.VIEW, Right.CONFIGURE], by=root_of_desk, change=ChangeRequest(by="root")
    )
    me.groups.set([desk])
    boss = member("Administrators", "boss")
    attempts = {
        "/users/create/": {"name": "carol", "groups": ["Administrators"]},
        f"/users/{me.pk}/change/": {"groups": ["Administrators"], "is_active": "on"},
        f"/users/{boss.pk}/password/": {},
        f"/users/{boss.pk}/delete/": {},
        "/groups/set/": {"name": "Desk", "rights": [str(right) for right in Right]},
        "/tokens/create/": {"name": "nightly", "scope": "admin", "days": "1"},
    }
    for path, body in attempts.items():
        page = client.post(path, body, follow=True).content.decode()
        assert "That takes rights that you do not hold" in page, path
    assert not ApiToken.objects.exists()
    assert list(me.groups.all()) == [desk]
    assert people.rights_of(desk) == [Right.VIEW, Right.CONFIGURE]
    assert set(User.objects.values_list("username", flat=True)) == {"ann", "boss", "root"}


def test_every_right_can_be_given() -> None:
    assert set(users.RIGHTS) == set(Right)


class TestGroups:
    def test_a_new_one_has_the_rights_that_were_ticked(self, admin: Client) -> None:
        admin.post("/groups/set/", {"name": "Night shift", "rights": [str(Right.OPERATE)]})
        assert people.rights_of(Group.objects.get(name="Night shift")) == [Right.OPERATE]

    def test_the_last_who_may_configure_cannot_lose_it(self, admin: Client) -> None:
        for path, body in (
            ("/groups/set/", {"name": "Administrators", "rights": [str(Right.VIEW)]}),
            (f"/groups/{Group.objects.get(name='Administrators').pk}/delete/", {}),
        ):
            page = admin.post(path, body, follow=True).content.decode()
            assert "Nobody could change settings" in page
        assert admin.get("/users/").status_code == 200


class TestTokens:
    def test_is_shown_once_and_opens_the_api_until_it_is_revoked(self, admin: Client) -> None:
        made = admin.post("/tokens/create/", CHANGES["/tokens/create/"])
        secret = secret_in(made)
        program = Client(headers={"Authorization": f"Bearer {secret}"})
        assert program.get("/api/me").json()["name"] == "token ci"
        assert secret not in admin.get("/tokens/").content.decode()

        admin.post("/tokens/revoke/", {"name": "ci"})

        assert program.get("/api/me").status_code == 401
        actions = AuditRecord.objects.order_by("pk").values_list("action", flat=True)
        assert list(actions) == ["create_token", "revoke_token"]

    def test_a_wrong_one_is_refused(self, admin: Client) -> None:
        for wrong in ({"scope": "root"}, {"days": "-1"}, {"name": ""}, {"days": "99999"}):
            admin.post("/tokens/create/", {**CHANGES["/tokens/create/"], **wrong})
        assert not ApiToken.objects.exists()
