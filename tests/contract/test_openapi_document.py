"""The OpenAPI document as tools read it: valid, complete, with names that stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from ingestion.api.app import api

# The last major version that runs on Node 18, which Debian 12 and Ubuntu 24.04 have.
REDOCLY = "@redocly/cli@1.34.5"
LONGEST_SECONDS = 300

# Generated clients name their functions after these: add some, never rename or remove one.
OPERATION_IDS = [
    "audit_list",
    "automation_acts",
    "automation_approve",
    "automation_dismiss",
    "automation_rules",
    "automation_run",
    "automation_set_rule",
    "breakers_close",
    "breakers_list",
    "breakers_open",
    "bulk_apply",
    "bulk_preview",
    "crms_check",
    "crms_get",
    "crms_list",
    "dashboard_charts",
    "dashboard_get",
    "data_changes",
    "data_get",
    "data_list",
    "data_query",
    "data_rows",
    "datasets_accept_deletions",
    "datasets_dismiss_deletions",
    "datasets_list",
    "datasets_set_freshness",
    "doctor_examine",
    "doctor_repair",
    "doctor_repair_round",
    "doctor_reset",
    "history_export",
    "history_get",
    "history_list",
    "history_log",
    "history_log_file",
    "history_retry",
    "history_retry_many",
    "limits_get",
    "limits_pause",
    "limits_resume",
    "limits_set",
    "limits_set_for_crm",
    "me_get",
    "notices_get",
    "notices_set_channel",
    "notices_test",
    "priority_aging_set",
    "queue_clear",
    "queue_process",
    "reports_create",
    "reports_get",
    "reports_list",
    "schedules_create",
    "schedules_delete",
    "schedules_disable",
    "schedules_edit",
    "schedules_enable",
    "schedules_export",
    "schedules_findings",
    "schedules_get",
    "schedules_import",
    "schedules_list",
    "schedules_preview",
    "schedules_run",
    "schedules_runs",
    "settings_list",
    "status_get",
    "tasks_cancel",
    "tasks_forecast",
    "tasks_get",
    "tasks_hold",
    "tasks_list",
    "tasks_move_to_front",
    "tasks_prioritize",
    "tasks_release",
    "tasks_retry",
    "tasks_submit",
    "tasks_submit_many",
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [found for methods in document["paths"].values() for found in methods.values()]


def test_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_has_stable_operation_ids(document: dict[str, Any]) -> None:
    assert sorted(found["operationId"] for found in operations(document)) == OPERATION_IDS


def test_names_the_server_it_comes_from(document: dict[str, Any]) -> None:
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_describes_every_tag_that_is_used(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert described == {tag for found in operations(document) for tag in found["tags"]}


def test_summarizes_every_operation_in_a_sentence(document: dict[str, Any]) -> None:
    submit = document["paths"]["/api/tasks"]["post"]
    assert submit["summary"] == "Submit a sync"
    assert all(" " in found["summary"] for found in operations(document))


def test_has_names_that_generators_can_tell_apart(document: dict[str, Any]) -> None:
    """Types are named after titles, and a variable after each object and each of its fields."""
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {})
        titles = [field["title"] for field in fields.values() if "title" in field]
        assert len(titles) == len(set(titles)), name
        own = [field for field in fields if field.replace("_", "") == name.lower()]
        assert not [field for field in own if "$ref" in str(fields[field])], name


def test_redocly_finds_nothing(document: dict[str, Any], tmp_path: Path) -> None:
    exported = tmp_path / "openapi.json"
    exported.write_text(json.dumps(document))
    found = redocly("lint", str(exported), "--extends=recommended", "--format=json", cwd=tmp_path)
    assert found["problems"] == []


def redocly(*arguments: str, cwd: Path) -> Any:
    """What it prints as JSON. A desk without it skips; a server for tests has it."""
    if shutil.which("npx") is None:
        missing("npx is not installed")
    ran = subprocess.run(
        ["npx", "--yes", REDOCLY, *arguments],
        cwd=cwd,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    if "npm error" in ran.stderr.lower() or "npm err!" in ran.stderr.lower():
        missing(f"npx could not fetch it: {ran.stderr[-500:]}")
    return json.loads(ran.stdout)


def missing(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
