"""The sandbox's state, and the server that keeps the data equal to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from werkzeug import Request, Response

from sandbox.base import Sandbox, SandboxConf, WsgiApp
from sandbox.errors import PortTaken, SandboxBusy, SandboxError, SandboxNotRunning, UnknownCrm
from sandbox.management.commands import crm_sandbox
from sandbox.serving import control, registry
from sandbox.serving.registry import Sandboxes
from sandbox.serving.server import SandboxServer
from sandbox.serving.state import Control, SandboxState, StateFile, Tick

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE_DIR = Path(__file__).parents[2]


class Toy(Sandbox):
    """Lives in memory and is read over HTTP."""

    name = "toy"

    def __init__(self, conf: SandboxConf) -> None:
        super().__init__(conf)
        self.numbers = [Random(conf.seed).random() for _ in range(conf.rows)]

    def settings(self, base_url: str) -> dict[str, str]:
        return {"TOY_BASE_URL": base_url}

    def tick(self, at: datetime) -> dict[str, int]:
        self.numbers.append(Random(at.isoformat()).random())
        return {"created": 1, "updated": 0, "deleted": 0}

    def counts(self) -> dict[str, int]:
        return {"numbers": len(self.numbers)}

    def wsgi(self) -> WsgiApp:
        return Request.application(lambda _: Response(json.dumps(self.numbers)))


class Table(Toy):
    """Is not read over HTTP."""

    name = "table"

    def settings(self, base_url: str) -> dict[str, str]:
        return {"TABLE_URL": "sqlite:///toy"}

    def wsgi(self) -> None:
        return None


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "sandbox_classes", lambda: {"table": Table, "toy": Toy})


@pytest.fixture
def state_file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, rows=5, port=0) as running:
        yield running


def get(url: str, token: str = "", *, method: str = "GET") -> tuple[int, object]:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.netloc, timeout=10)
    link.request(method, parts.path, headers={"Authorization": f"Bearer {token}"})
    response = link.getresponse()
    body = response.read()
    link.close()
    return response.status, json.loads(body) if body.startswith((b"{", b"[")) else body


def numbers(data_dir: Path) -> list[float]:
    toy = Sandboxes(StateFile(data_dir), ("toy",)).by_name["toy"]
    assert isinstance(toy, Toy)
    return toy.numbers


# --- the state file -----------------------------------------------------------------------------


def test_a_state_comes_back_as_it_was_written(state_file: StateFile) -> None:
    ticks = (Tick(NOON), Tick(NOON + timedelta(hours=1), ("toy",)))
    state = SandboxState(7, 30, ticks, Control("http://127.0.0.1:1", "secret", 42))
    state_file.update(lambda _: state)
    assert StateFile(state_file.data_dir).load() == state


def test_only_its_owner_may_read_the_state(state_file: StateFile) -> None:
    state_file.update(lambda state: state)
    assert stat.S_IMODE(state_file.path.stat().st_mode) == 0o600


def test_two_ticks_of_one_moment_get_two_times() -> None:
    state = SandboxState().with_tick(NOON, None).with_tick(NOON, None)
    assert state.ticks[0].at < state.ticks[1].at


def test_a_clock_that_was_set_back_keeps_the_order_of_ticks() -> None:
    state = SandboxState().with_tick(NOON, None).with_tick(NOON - timedelta(days=1), None)
    assert state.ticks[0].at < state.ticks[1].at


def test_no_change_is_lost_when_several_write(state_file: StateFile) -> None:
    start = threading.Barrier(8)

    def tick_five_times() -> None:
        start.wait(timeout=10)
        for _ in range(5):
            state_file.update(lambda state: state.with_tick(NOON, None))

    threads = [threading.Thread(target=tick_five_times) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len({tick.at for tick in state_file.load().ticks}) == 40


def test_a_damaged_state_names_the_cure(state_file: StateFile) -> None:
    state_file.path.write_text('{"seed": 1')
    with pytest.raises(SandboxError, match="delete it to start over"):
        state_file.load()


def test_what_is_not_asked_for_stays_as_it_was(state_file: StateFile) -> None:
    state_file.begin(seed=3, rows=9)
    state_file.update(lambda state: state.with_tick(NOON, None))
    assert state_file.begin() == state_file.begin(rows=9)
    assert len(state_file.load().ticks) == 1


def test_another_size_starts_over(state_file: StateFile) -> None:
    state_file.begin(rows=9)
    state_file.update(lambda state: state.with_tick(NOON, None))
    kept = state_file.crm_dir("toy")
    kept.mkdir(parents=True)
    assert state_file.begin(rows=10) == SandboxState(rows=10)
    assert not kept.exists()


def test_data_that_nobody_knows_is_not_touched(state_file: StateFile) -> None:
    found = state_file.crm_dir("toy")
    found.mkdir(parents=True)
    with pytest.raises(SandboxError, match="delete the folder"):
        state_file.begin()
    assert found.exists()


# --- replay -------------------------------------------------------------------------------------


def test_a_restart_brings_back_the_same_data(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path)
    state_file.begin(seed=4, rows=6)
    sandboxes = Sandboxes(state_file)
    sandboxes.tick()
    sandboxes.tick(("toy",))
    toy = sandboxes.by_name["toy"]
    assert isinstance(toy, Toy)
    assert numbers(tmp_path) == toy.numbers
    assert len(toy.numbers) == 8


def test_a_tick_of_one_crm_leaves_the_others_alone(tmp_path: Path) -> None:
    sandboxes = Sandboxes(StateFile(tmp_path))
    assert sandboxes.tick(("toy",)) == {"toy": {"created": 1, "updated": 0, "deleted": 0}}
    assert sandboxes.counts() == {"table": {"numbers": 200}, "toy": {"numbers": 201}}


def test_an_unknown_crm_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UnknownCrm, match="there is one for table, toy"):
        Sandboxes(StateFile(tmp_path)).tick(("nope",))
    assert StateFile(tmp_path).load().ticks == ()


# --- the server ---------------------------------------------------------------------------------


def test_each_crm_stands_under_its_name(server: SandboxServer) -> None:
    status, body = get(f"{server.url}/toy")
    assert (status, body) == (200, server.sandboxes.by_name["toy"].numbers)  # type: ignore[attr-defined]
    assert get(f"{server.url}/table")[0] == 404
    assert server.urls == {"table": None, "toy": f"{server.url}/toy"}


def test_settings_point_at_where_it_serves(server: SandboxServer, tmp_path: Path) -> None:
    wanted = {"TABLE_URL": "sqlite:///toy", "TOY_BASE_URL": f"{server.url}/toy"}
    assert server.settings == control.settings(tmp_path) == wanted


def test_orders_need_the_token(server: SandboxServer) -> None:
    for token in ("", "wrong", "ünsinn"):
        status, body = get(f"{server.url}/_control/tick", token, method="POST")
        assert status == 401
        assert body["error"]["code"] == "unauthorized"  # type: ignore[index,call-overload]
    assert server.state.ticks == ()


def test_a_tick_reaches_the_running_server(server: SandboxServer, tmp_path: Path) -> None:
    assert control.tick(tmp_path, ("toy",)) == {"toy": {"created": 1, "updated": 0, "deleted": 0}}
    assert server.sandboxes.counts()["toy"] == {"numbers": 6}
    assert control.status(tmp_path)["crms"]["toy"]["counts"] == {"numbers": 6}


def test_the_face_of_a_crm_can_be_wrapped(tmp_path: Path) -> None:
    def broken(crm: str, _app: WsgiApp) -> WsgiApp:
        return Response(f"{crm} is down", 503)

    with SandboxServer(tmp_path, port=0, wrap=broken) as server:
        assert get(f"{server.url}/toy") == (503, b"toy is down")


def test_one_process_serves_a_data_directory(server: SandboxServer, tmp_path: Path) -> None:
    with pytest.raises(SandboxBusy, match="--data-dir"), SandboxServer(tmp_path, port=0):
        pass


def test_a_taken_port_is_named_and_leaves_the_directory_free(
    server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    taken = urlsplit(server.url).port
    with pytest.raises(PortTaken, match=f"Port {taken}"), SandboxServer(other, port=taken):
        pass
    with SandboxServer(other, port=0) as second:
        assert second.url != server.url


def test_a_stopped_server_says_so(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, port=0):
        pass
    assert control.status(tmp_path)["running"] is False
    with pytest.raises(SandboxNotRunning, match="crm_sandbox"):
        control.settings(tmp_path)


def test_a_tick_without_a_server_is_there_at_the_next_start(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, rows=5, port=0):
        pass
    control.tick(tmp_path)
    with SandboxServer(tmp_path, port=0) as server:
        assert server.sandboxes.counts()["toy"] == {"numbers": 6}


def test_a_server_that_was_killed_does_not_sandbox_the_way(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path)
    state_file.begin(rows=5)
    dead = Control("http://127.0.0.1:1/_control", "token", 1)
    state_file.update(lambda state: replace(state, control=dead))
    assert control.status(tmp_path)["running"] is False
    assert control.tick(tmp_path)["toy"]["created"] == 1


def test_a_tick_while_another_process_starts_is_refused(tmp_path: Path) -> None:
    with StateFile(tmp_path).serving_lock(), pytest.raises(SandboxBusy, match="starting"):
        control.tick(tmp_path)


# --- the command --------------------------------------------------------------------------------


def test_exit_codes_tell_what_was_wrong(tmp_path: Path) -> None:
    def exit_code(*arguments: str) -> int:
        with pytest.raises(CommandError) as refused:
            call_command("crm_sandbox", *arguments, data_dir=tmp_path)
        return refused.value.returncode

    assert exit_code("--show-settings") == 3
    assert exit_code("--tick", "--crm", "nope") == 2
    with StateFile(tmp_path).serving_lock():
        assert exit_code("--tick") == 4


def test_status_as_json_is_complete(
    server: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("crm_sandbox", "--status", "--json", data_dir=tmp_path)
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "running": True,
        "url": server.url,
        "pid": os.getpid(),
        "settings": server.settings,
        "crms": {
            "table": {"url": None, "counts": {"numbers": 5}, "budgets": []},
            "toy": {"url": f"{server.url}/toy", "counts": {"numbers": 5}, "budgets": []},
        },
        "faults": [],
        "data_dir": str(tmp_path),
        "seed": 1,
        "rows": 5,
        "ticks": [],
    }


def test_the_list_names_the_crms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crm_sandbox, "crm_names", lambda: ("table", "toy"))
    call_command("crm_sandbox", "--list", "--json", data_dir=tmp_path)
    call_command("crm_sandbox", "--list", data_dir=tmp_path)
    assert capsys.readouterr().out == '{"crms": ["table", "toy"]}\ntable\ntoy\n'


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``crm_sandbox`` with the given options, on a free port."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        where = ("--port", "0", "--data-dir", str(tmp_path))
        process = subprocess.Popen(
            [sys.executable, "manage.py", "crm_sandbox", *where, *options],
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_a_served_sandbox_ends_cleanly_on_sigterm(
    serve: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = serve()
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("Ctrl-C stops it") for line in lines)
    assert control.status(tmp_path)["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert StateFile(tmp_path).load().control is None


def test_a_program_that_starts_it_reads_one_line(
    serve: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = serve("--json", "--crm", "leadconduit", "--rows", "5")
    assert process.stdout
    printed = json.loads(process.stdout.readline())
    assert printed == control.status(tmp_path)
    assert printed["running"]
    assert printed["crms"]["leadconduit"]["counts"] == {"leads": 5}
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == ""
