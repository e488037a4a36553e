"""What a site in production mode serves, also before anything was prepared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.production import SITE, manage, production_environment, run
from tests.project_copy import copy_project

ASK = """
import json, sys
import django
django.setup()
from django.test import Client
def ask(path, **headers):
    client = Client(headers={"host": "%s"} | headers, raise_request_exception=False)
    found = client.get(path)
    return [found.status_code, found.headers.get("Location", ""),
            found.headers.get("Strict-Transport-Security", ""),
            b"<h1>" in b"".join(found)]
secure = {"X-Forwarded-Proto": "https"}
print(json.dumps([ask(path, **secure) for path in sys.argv[1:]] + [ask(path) for path in sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def new_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of which nothing but the files is there."""
    project = tmp_path_factory.mktemp("clone")
    copy_project(project)
    return project


def answers(clone: Path, folder: Path, *paths: str, **settings: str) -> list[list[object]]:
    """Of each path over HTTPS behind the proxy, then of each over plain HTTP."""
    done = run(
        "-c",
        ASK % SITE,
        *paths,
        environment=production_environment(folder, **settings),
        project=clone,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[object]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_no_page_breaks_before_collectstatic_and_migrate(new_clone: Path, tmp_path: Path) -> None:
    assert not (new_clone / "static_collected").exists()
    login, nowhere, broken = answers(
        new_clone, tmp_path, "/login/", "/nowhere/", "/admin/login/?next=x"
    )[:3]
    assert (login[0], nowhere[0], broken[0]) == (200, 404, 200)
    assert login[3]
    assert nowhere[3]


def test_plain_http_leads_to_https_and_probes_do_not(new_clone: Path, tmp_path: Path) -> None:
    secure_login, secure_live, login, live = answers(new_clone, tmp_path, "/login/", "/health/live")
    assert secure_login[0] == 200
    assert "max-age=3600" in str(secure_login[2])
    assert login[:2] == [301, f"https://{SITE}/login/"]
    assert (live[0], secure_live[0]) == (200, 200)


def test_nobody_but_a_trusted_proxy_can_say_https(new_clone: Path, tmp_path: Path) -> None:
    (from_elsewhere, _) = answers(new_clone, tmp_path, "/login/", TRUSTED_PROXIES="192.0.2.1")
    assert from_elsewhere[:2] == [301, f"https://{SITE}/login/"]


def test_without_a_proxy_nothing_is_redirected_for_ever(new_clone: Path, tmp_path: Path) -> None:
    (_, plain) = answers(new_clone, tmp_path, "/login/", TRUSTED_PROXIES="")
    assert plain[0] == 200


def test_djangos_own_checks_for_deployment_find_nothing(tmp_path: Path) -> None:
    environment = production_environment(tmp_path)
    done = manage("check", "--deploy", "--tag", "security", environment=environment)
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr
