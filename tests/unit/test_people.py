"""Rights, groups, logins, the read-only mode and what a page may load."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from ingestion.services.security.access import GROUPS, Right, ensure_groups, may
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import PASSWORD, browser, member
from tests.unit.pool_shell import pool_in_memory


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def give_rights() -> None:
    migration = import_module("ingestion.migrations.0020_rights_of_administrators")
    migration.give(apps, SimpleNamespace(connection=connection))


class TestGroups:
    @pytest.mark.parametrize("name", GROUPS)
    def test_hold_what_their_name_says(self, db: None, name: str) -> None:
        user = member(name)
        assert {right for right in Right if may(user, right)} == set(GROUPS[name])

    def test_keep_what_an_administrator_made_of_them(self, db: None) -> None:
        Group.objects.get(name="Viewers").permissions.clear()
        ensure_groups()
        assert not Group.objects.get(name="Viewers").permissions.exists()

    def test_come_back_with_the_next_migration(self, db: None) -> None:
        Group.objects.get(name="Viewers").delete()
        call_command("migrate", verbosity=0)
        assert Group.objects.get(name="Viewers").permissions.count() == 1

    def test_those_of_an_older_release_get_the_rights_that_came_later(self, db: None) -> None:
        group = Group.objects.get(name="Administrators")
        later = Permission.objects.filter(codename__in=[Right.PERSONAL, Right.QUERY])
        group.permissions.remove(*later)
        later.delete()
        give_rights()
        assert {p.codename for p in group.permissions.all()} == {str(right) for right in Right}

    def test_one_that_may_not_configure_gets_none(self, db: None) -> None:
        group = Group.objects.get(name="Administrators")
        group.permissions.clear()
        give_rights()
        assert not group.permissions.exists()

    def test_nobody_holds_a_right_without_a_login(self, db: None) -> None:
        inactive = member("Administrators")
        inactive.is_active = False
        inactive.save()
        assert not may(User.objects.get(pk=inactive.pk), Right.VIEW)


class TestPages:
    def test_a_login_without_the_right_is_refused(self, pool: WorkerPoolService) -> None:
        nobody = browser(User.objects.create_user("bob"))
        assert nobody.get("/").status_code == 403
        assert nobody.get("/api/status").json()["error"]["code"] == "NOT_ALLOWED"

    def test_a_viewer_sees_the_pool(self, pool: WorkerPoolService) -> None:
        assert browser(member("Viewers")).get("/").status_code == 200


class TestLogin:
    @pytest.fixture(autouse=True)
    def few_tries(self, db: None, settings: Any) -> None:
        settings.AXES_FAILURE_LIMIT = 2

    def test_is_locked_after_some_failures(self) -> None:
        member("Viewers")
        wrong = {"username": "ann", "password": "wrong"}
        assert [Client().post("/login/", wrong).status_code for _ in range(2)] == [200, 429]
        right = {"username": "ann", "password": PASSWORD}
        assert Client().post("/login/", right).status_code == 429

    def test_of_one_does_not_lock_another(self) -> None:
        member("Viewers"), member("Viewers", "bob")
        for _ in range(3):
            Client().post("/login/", {"username": "bob", "password": "wrong"})
        right = {"username": "ann", "password": PASSWORD}
        assert Client().post("/login/", right).status_code == 302

    def test_a_success_forgets_the_failures_before_it(self) -> None:
        member("Viewers")
        right, wrong = ({"username": "ann", "password": word} for word in (PASSWORD, "wrong"))
        answers = [Client().post("/login/", sent).status_code for sent in (wrong, right, wrong)]
        assert answers == [200, 302, 200]


class TestPassword:
    def test_can_be_changed_by_its_owner(self, db: None) -> None:
        new = "staple battery horse"
        sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        assert browser(member("Viewers")).post("/password/", sent)["Location"] == "/password/done/"
        assert User.objects.get(username="ann").check_password(new)

    def test_page_is_for_those_who_are_logged_in(self, db: None) -> None:
        assert Client().get("/password/")["Location"] == "/login/?next=/password/"

    def test_must_not_be_a_common_one(self, db: None) -> None:
        sent = {"old_password": PASSWORD, "new_password1": "password", "new_password2": "password"}
        answer = browser(member("Viewers")).post("/password/", sent)
        assert "too common" in answer.content.decode()


class TestReadOnly:
    @pytest.fixture(autouse=True)
    def read_only(self, db: None, settings: Any) -> None:
        settings.INGESTION_READ_ONLY = True

    def test_shows_everything(self, pool: WorkerPoolService) -> None:
        assert browser(member("Viewers")).get("/").status_code == 200

    @pytest.mark.parametrize("path", ["/", "/admin/auth/user/add/", "/nowhere/"])
    def test_changes_nothing(self, pool: WorkerPoolService, path: str) -> None:
        boss = browser(User.objects.create_superuser("boss"))
        answer = boss.post(path, {"username": "eve", "password1": "x", "password2": "x"})
        assert answer.status_code == 403
        assert not User.objects.filter(username="eve").exists()

    def test_the_api_says_so(self, pool: WorkerPoolService) -> None:
        answer = browser(member("Operators")).post("/api/status")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "READ_ONLY")

    def test_one_can_still_come_and_go(self, pool: WorkerPoolService) -> None:
        member("Viewers")
        client = Client()
        sent = {"username": "ann", "password": PASSWORD}
        assert client.post("/login/", sent)["Location"] == "/"
        assert client.post("/logout/")["Location"] == "/login/"


@pytest.mark.parametrize("path", ["/login/", "/", "/api/status", "/admin/login/", "/nowhere/"])
def test_no_answer_lets_anything_in_from_elsewhere(db: None, path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
