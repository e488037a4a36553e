"""dbt-core with its PostgreSQL adapter reads the sources that ``manage_data sources`` writes.

Run by ``make dbt``, which installs dbt into an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from sqlalchemy.engine import make_url

from ingestion.models import FreshnessBound
from tests.data_world import load, load_customers
from tests.unit.people import forget_answers

pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.slow]
DBT = Path(os.environ.get("DBT", Path(__file__).parents[2] / ".venv-dbt/bin/dbt"))
PROJECT = "name: seen\nversion: '1.0'\nprofile: seen\nmodel-paths: [models]\n"
MODEL = "select city, count(*) as n from {{ source('arrivy', 'customers') }} group by city\n"


@pytest.fixture
def project(tmp_path: Path, settings: Any, postgres_database: Any) -> Path:
    if not DBT.exists():
        pytest.skip(f"{DBT} is not there; make dbt installs it")
    settings.INGESTION_WAREHOUSE_URL = postgres_database()
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    forget_answers()
    load_customers()
    load("arrivy", "teams", [{"id": 1, "name": "Blue"}])
    FreshnessBound.objects.create(crm_source="arrivy", model="customers", seconds=3600)
    folder = tmp_path / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "models" / "cities.sql").write_text(MODEL)
    with (folder / "models" / "sources.yml").open("w") as written:
        call_command("manage_data", "sources", stdout=written)
    url = make_url(settings.INGESTION_WAREHOUSE_URL)
    output = {
        "type": "postgres", "host": url.host, "port": url.port or 5432, "user": url.username,
        "pass": url.password or "", "dbname": url.database, "schema": "marts", "threads": 1,
    }  # fmt: skip
    profile = {"seen": {"target": "test", "outputs": {"test": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    return folder


def dbt(project: Path, *words: str) -> str:
    """What it says; it must end well."""
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    ran = subprocess.run(
        [DBT, "--no-use-colors", *words, "--project-dir", project, "--profiles-dir", project],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        cwd=project,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_parses_finds_them_fresh_builds_on_them_and_tests_them(project: Path) -> None:
    dbt(project, "parse")
    assert "PASS freshness of arrivy.customers" in dbt(project, "source", "freshness")
    found = json.loads((project / "target" / "sources.json").read_text())["results"]
    assert {one["unique_id"]: one["status"] for one in found} == {
        "source.seen.arrivy.customers": "pass"
    }
    built = dbt(project, "build")
    assert "Completed successfully" in built
    assert "source_not_null_arrivy_customers_id" in built
