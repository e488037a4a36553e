"""``manage.py deploy`` and ``deploy_check``: what they do to a new installation, and what they find."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ingestion.services.system import embedded_redis
from tests.production import manage, production_environment
from tests.project_copy import copy_project

HERE = ("--before-start", "--json")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where collectstatic may write."""
    project = tmp_path_factory.mktemp("clone")
    copy_project(project)
    return project


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_redis.EmbeddedRedis]:
    server = embedded_redis.start(tmp_path_factory.mktemp("redis"), password="of-this-test")
    yield server
    server.stop()


@pytest.fixture
def environment(tmp_path: Path, redis: embedded_redis.EmbeddedRedis) -> dict[str, str]:
    return production_environment(tmp_path, **urls(redis), SITE_URL="https://warehouse.example.com")


def urls(server: embedded_redis.EmbeddedRedis) -> dict[str, str]:
    login = f":{quote(server.password)}@" if server.password else ""
    base = f"redis://{login}127.0.0.1:{server.port}"
    return {"CACHE_URL": f"{base}/1", "CELERY_BROKER_URL": f"{base}/0"}


def findings(environment: Mapping[str, str], project: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and the messages by id."""
    done = manage("deploy_check", *HERE, environment=environment, project=project)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    ours = [each for each in found["findings"] if each["id"].startswith("ingestion.")]
    assert all(each["cure"] for each in ours)
    return done.returncode, {each["id"]: each["message"] for each in found["findings"]}


def test_a_new_installation_is_told_all_that_is_missing(clone: Path, tmp_path: Path) -> None:
    environment = production_environment(tmp_path, CACHE_URL="redis://127.0.0.1:1/1")
    code, found = findings(
        {**environment, "DJANGO_ENV": "development", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
        clone,
    )
    assert code == 1
    # development, no migrations, no Redis, cookies without TLS, no SITE_URL, a SQLite ledger
    assert {
        "ingestion.E020",
        "ingestion.E022",
        "ingestion.E031",
        "ingestion.W022",
        "ingestion.W024",
        "ingestion.W033",
    } <= found.keys()


def test_deploy_leaves_nothing_to_be_done_however_often_and_by_whomever(
    clone: Path, environment: dict[str, str]
) -> None:
    before = findings(environment, clone)[1]
    assert {"ingestion.E021", "ingestion.E022"} <= before.keys()

    words = [sys.executable, "manage.py", "deploy", "--schedules", "standard", "--json"]
    several = [
        subprocess.Popen(words, cwd=clone, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    done = [json.loads(each.communicate(timeout=300)[0]) for each in several]

    assert sorted(each["schedules_added"] for each in done) == [0, 38]
    assert sorted(each["login_is_new"] for each in done) == [False, True]
    assert sorted(bool(each["migrations"]) for each in done) == [False, True]
    code, after = findings(environment, clone)
    assert code == 0, after
    assert not {key for key in after if key.startswith("ingestion.E")}


def test_a_file_that_changed_after_collectstatic_is_told(
    clone: Path, environment: dict[str, str]
) -> None:
    manage("deploy", environment=environment, project=clone)
    style = clone / "static/ingestion/css/app.css"
    style.write_text(style.read_text() + "\n/* newer */\n")

    found = findings(environment, clone)[1]

    assert "css/app.css" in found["ingestion.E021"]


def test_schedules_that_somebody_changed_stay(clone: Path, environment: dict[str, str]) -> None:
    manage("deploy", "--schedules", "standard", environment=environment, project=clone)
    listed = manage("manage_schedules", "list", "--json", environment=environment, project=clone)
    first = json.loads(listed.stdout)["schedules"][0]["id"]
    manage("manage_schedules", "disable", str(first), environment=environment, project=clone)

    manage("deploy", "--schedules", "standard", environment=environment, project=clone)

    shown = manage("manage_schedules", "list", "--json", environment=environment, project=clone)
    kept = {each["id"]: each["enabled"] for each in json.loads(shown.stdout)["schedules"]}
    assert (len(kept), kept[first]) == (38, False)


def test_a_redis_that_would_lose_tasks_is_told(
    clone: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    bad = embedded_redis.start(tmp_path / "bad", durable=False)
    try:
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import redis, sys; c = redis.Redis.from_url(sys.argv[1]);"
                "c.config_set('maxmemory', '100mb'); c.config_set('maxmemory-policy', 'allkeys-lru')",
                bad.url(1),
            ],
            check=True,
        )
        url = urls(bad)["CACHE_URL"]
        code, found = findings({**environment, "CACHE_URL": url, "CELERY_BROKER_URL": url}, clone)
    finally:
        bad.stop()
    assert code == 1
    # one database for both, eviction, nothing kept
    assert {"ingestion.E030", "ingestion.E032", "ingestion.W030"} <= found.keys()


def test_a_postgresql_that_forgets_is_told(
    clone: Path, environment: dict[str, str], postgres_database: Callable[[], str]
) -> None:
    """Those of the tests do: it is set in the database."""
    url = postgres_database()
    ledger = {**environment, "DATABASE_URL": url}
    done = manage("deploy", "--json", environment=ledger, project=clone)
    assert json.loads(done.stdout)["login_is_new"], done.stderr
    forgets = findings(ledger, clone)[1]
    durable = f"{url}?options=-c%20synchronous_commit%3Don"
    fine = findings({**ledger, "DATABASE_URL": durable}, clone)[1]
    assert "ingestion.W034" in forgets
    assert (
        not {"ingestion.E033", "ingestion.E034", "ingestion.W034", "ingestion.W033"} & fine.keys()
    )
