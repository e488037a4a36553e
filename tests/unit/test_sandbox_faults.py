"""Faults of the sandbox: how they are written, counted, switched and ended."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import CommandError, call_command

from sandbox.errors import FaultDoesNotApply, UnknownFault
from sandbox.faults.kinds import KINDS, Fault
from sandbox.serving.server import SandboxServer
from sandbox.serving.state import StateFile

CRMS = ("arrivy", "genius", "leadconduit")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=CRMS, rows=5, port=0) as running:
        yield running


def put(server: SandboxServer, *texts: str) -> None:
    server.faults.set(Fault.parse(text) for text in texts)


def ask(server: SandboxServer, path: str = "/tasks", **params: Any) -> requests.Response:
    key, token = server.settings["ARRIVY_AUTH_KEY"], server.settings["ARRIVY_AUTH_TOKEN"]
    headers = {"X-Auth-Key": key, "X-Auth-Token": token}
    return requests.get(f"{server.url}/arrivy{path}", params, headers=headers, timeout=10)


def statuses(server: SandboxServer, number: int) -> list[int]:
    return [ask(server).status_code for _ in range(number)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("errors", Fault("errors", None, 2)),
        ("errors:5", Fault("errors", None, 5)),
        ("errors:always=arrivy", Fault("errors", "arrivy", None)),
        ("column=genius", Fault("column", "genius", None)),
    ],
)
def test_a_fault_is_written_as_name_times_and_crm(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize("text", ["", "fire", "errors:0", "errors:some", "errors:-1=arrivy"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(UnknownFault):
        Fault.parse(text)


def test_each_request_fails_a_number_of_times(server: SandboxServer) -> None:
    put(server, "errors:2=arrivy")
    assert statuses(server, 4) == [500, 500, 200, 200]
    assert ask(server, page=2).status_code == 500
    assert server.faults.requests_hit == 3


def test_a_storm_counts_all_requests_of_a_crm(server: SandboxServer) -> None:
    put(server, "throttle:3=arrivy")
    assert statuses(server, 2) == [429, 429]
    assert [ask(server, "/crews").status_code for _ in range(2)] == [429, 200]


def test_a_fault_of_one_crm_leaves_the_others_alone(server: SandboxServer) -> None:
    put(server, "errors:always=leadconduit")
    assert statuses(server, 1) == [200]


def test_a_fault_without_a_crm_hits_all_that_can_have_it(server: SandboxServer) -> None:
    put(server, "cut", "html:always")
    assert ask(server).status_code == 502


def test_faults_that_are_taken_back_are_gone(server: SandboxServer) -> None:
    put(server, "errors:always")
    put(server)
    assert statuses(server, 1) == [200]


def test_refused_credentials_are_refused_in_the_crms_own_form(server: SandboxServer) -> None:
    put(server, "credentials")
    answer = ask(server)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


def test_error_pages_come_with_502_and_200_in_turn(server: SandboxServer) -> None:
    put(server, "html:always")
    answers = [ask(server) for _ in range(3)]
    assert [a.status_code for a in answers] == [502, 200, 502]
    assert all(a.text.startswith("<!DOCTYPE html>") for a in answers)


def test_a_truncated_answer_tells_its_own_length(server: SandboxServer) -> None:
    whole = ask(server).content
    put(server, "truncated")
    answer = ask(server)
    assert whole.startswith(answer.content)
    assert int(answer.headers["Content-Length"]) == len(answer.content) == len(whole) // 2


def test_a_cut_connection_ends_before_the_length_that_was_told(server: SandboxServer) -> None:
    put(server, "cut:always")
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as link:
        link.sendall(b"GET /arrivy/tasks HTTP/1.1\r\nHost: x\r\n\r\n")
        told, body = link.makefile("rb").read().split(b"\r\n\r\n", 1)
    length = next(line for line in told.split(b"\r\n") if line.startswith(b"Content-Length"))
    assert 0 < len(body) < int(length.split(b":")[1])


def test_a_repeated_page_is_the_first_one(server: SandboxServer) -> None:
    first = ask(server, items_per_page=2, page=1).json()
    put(server, "repeat")
    assert ask(server, items_per_page=2, page=2).json() == first


def test_a_changed_record_has_a_field_more_and_one_less(server: SandboxServer) -> None:
    (before, *_) = ask(server).json()
    put(server, "column")
    (after, *_) = ask(server).json()
    assert after.keys() - before.keys() == {"added_by_fault"}
    assert before.keys() - after.keys() == {"details"}
    assert after["duration"] == "not known"


def test_slow_answers_come_at_once_when_they_are_taken_back(server: SandboxServer) -> None:
    server.faults.slow_seconds = 0.01
    put(server, "slow")
    assert statuses(server, 1) == [200]
    assert server.faults.requests_hit == 1


def test_a_database_has_no_faults_of_http(server: SandboxServer) -> None:
    with pytest.raises(FaultDoesNotApply, match=r"cut does not apply to genius.*column, errors"):
        put(server, "cut=genius")


def test_a_fault_of_a_crm_that_is_not_served_is_refused(server: SandboxServer) -> None:
    put(server, "errors:always=arrivy")
    with pytest.raises(FaultDoesNotApply, match="arrivy, genius, leadconduit"):
        put(server, "errors=nope")
    assert statuses(server, 1) == [500]


def test_a_faulty_database_goes_on_by_itself(server: SandboxServer) -> None:
    genius = server.sandboxes.by_name["genius"]
    counts = genius.counts()
    put(server, "errors=genius", "column=genius")
    assert genius.counts() == counts
    server.sandboxes.tick(("genius",))
    put(server)
    assert genius.counts() != counts


def test_a_table_that_a_killed_sandbox_left_altered_is_mended(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, names=("genius",), rows=5, port=0) as server:
        put(server, "column=genius")
        server.faults._sandboxes = {}  # nobody takes it back
    with SandboxServer(tmp_path, names=("genius",), rows=5, port=0) as server:
        server.sandboxes.tick()
        assert server.sandboxes.counts()["genius"]["prospects"] > 0


def test_faults_are_not_kept(server: SandboxServer, tmp_path: Path) -> None:
    before = StateFile(tmp_path).load()
    put(server, "errors:always")
    assert StateFile(tmp_path).load() == before
    assert "fault" not in StateFile(tmp_path).path.read_text()


# --- the command --------------------------------------------------------------------------------


def command(tmp_path: Path, *words: str) -> None:
    call_command("crm_sandbox", *words, data_dir=tmp_path)


def test_the_command_switches_the_running_sandbox(
    server: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(tmp_path, "--fault", "errors:always=arrivy", "--fault", "slow:1=leadconduit")
    assert "has faults: errors:always=arrivy, slow:1=leadconduit" in capsys.readouterr().out
    assert statuses(server, 1) == [500]

    command(tmp_path, "--status")
    assert "faults: errors:always=arrivy" in capsys.readouterr().out

    command(tmp_path, "--no-faults", "--json")
    assert json.loads(capsys.readouterr().out) == {"faults": []}
    assert statuses(server, 1) == [200]


def test_the_command_passes_a_refusal_on(server: SandboxServer, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not apply to genius"):
        command(tmp_path, "--fault", "cut=genius")


def test_mending_needs_a_running_sandbox(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No sandbox is running") as caught:
        command(tmp_path, "--no-faults")
    assert caught.value.returncode == 3


def test_an_unknown_fault_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"there are {', '.join(KINDS)}"):
        command(tmp_path, "--fault", "fire")


def test_a_sandbox_may_be_broken_from_the_start(tmp_path: Path) -> None:
    faults = (Fault.parse("errors:always"),)
    with SandboxServer(tmp_path, names=("arrivy",), rows=5, port=0, faults=faults) as server:
        assert statuses(server, 1) == [500]
