"""A company's own Django project adds the app from its wheel, and nothing of this repository: with a
user model of its own, another name for its Celery app, and almost no settings."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from sandbox.serving.server import SandboxServer
from tests.integration.system import ROOT, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

CONTACTS = 30
LONGEST_SECONDS = 120
EMAIL, PASSWORD = "ann@company.example", "a-password-of-this-test"
PAGES = """
import django; django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
get_user_model().objects.create_superuser({email!r}, {password!r})
client = Client(HTTP_HOST="localhost")
assert client.get("/").status_code == 302
assert client.login(email={email!r}, password={password!r})
for page in ("/", "/history/", "/data/", "/users/", "/settings/", "/schedules/", "/crms/five9/"):
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
assert "five9.contacts" in client.get("/history/").content.decode()
made = client.post("/users/create/", {{"name": "bob@company.example"}}, follow=True)
assert "bob@company.example" in made.content.decode()
assert get_user_model().objects.filter(email="bob@company.example").exists()
refused = client.post("/users/create/", {{"name": "no address"}}, follow=True)
assert "valid email" in refused.content.decode()
"""


@dataclass
class Project:
    folder: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def manage(self, *words: str) -> str:
        return self.run("manage.py", *words)

    @contextmanager
    def worker(self) -> Iterator[None]:
        command = [sys.executable, "-m", "celery", "-A", "company", "worker", "-c", "2"]
        log = (self.folder / "worker.log").open("w")
        with (
            log,
            subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            ) as process,
        ):
            try:
                yield
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds; what it needs is here already."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), "."]
    subprocess.run(build, cwd=ROOT, check=True, timeout=LONGEST_SECONDS)
    (wheel,) = wheels.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, timeout=LONGEST_SECONDS)
    return target


@pytest.fixture
def project(tmp_path: Path, installed: Path, redis_server: EmbeddedRedis) -> Iterator[Project]:
    folder = tmp_path / "company"
    shutil.copytree(ROOT / "tests" / "other_project", folder)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with SandboxServer(tmp_path / "crms", rows=CONTACTS, names=("five9",), port=0) as server:
        yield Project(
            folder,
            {
                **kept,
                **server.settings,
                "PYTHONPATH": str(installed),
                "COMPANY_REDIS": redis_server.url(0).removesuffix("/0"),
                "DJANGO_SETTINGS_MODULE": "company.settings",
            },
        )


def test_it_runs_a_sync_and_shows_it(project: Project, installed: Path) -> None:
    where = project.run("-c", "import ingestion; print(ingestion.__file__)")
    assert where.startswith(str(installed))
    project.manage("makemigrations", "people")
    project.manage("migrate", "--verbosity", "0")
    assert "no issues" in project.manage("check")
    assert "celery -A company worker" in project.run("-c", STATUS)
    with project.worker():
        task_id = project.manage("manage_worker_pool", "submit", "five9", "contacts").strip()
        wait_for(lambda: "success" in project.manage("manage_runs", "list"), what="the sync")
    assert task_id
    warehouse = project.folder / "var" / "warehouse" / "warehouse__five9.sqlite3"
    with closing(sqlite3.connect(warehouse)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM contacts").fetchone()
    assert rows == CONTACTS
    project.run("-c", PAGES.format(email=EMAIL, password=PASSWORD))


STATUS = """
import subprocess, sys
print(subprocess.run([sys.executable, "manage.py", "manage_worker_pool", "status"], capture_output=True, text=True).stdout)
"""
