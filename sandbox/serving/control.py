"""Control of a running sandbox: the endpoints that it offers, and the functions that call them."""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from werkzeug import Request, Response

from sandbox.errors import (
    FaultDoesNotApply,
    SandboxBusy,
    SandboxError,
    SandboxNotRunning,
    UnknownCrm,
    UnknownFault,
)
from sandbox.faults.injector import FaultInjector
from sandbox.faults.kinds import Fault
from sandbox.serving.registry import Sandboxes, check_names
from sandbox.serving.state import Control, SandboxState, StateFile

CONTROL_PATH = "/_control"
REQUEST_SECONDS = 600.0  # a tick of a big sandbox takes its time

Changes = dict[str, dict[str, int]]


def crm_urls(server_url: str, sandboxes: Sandboxes) -> dict[str, str | None]:
    """Where each CRM is mounted; None for one that is not read over HTTP."""
    return {
        name: f"{server_url}/{name}" if sandbox.wsgi() is not None else None
        for name, sandbox in sandboxes.by_name.items()
    }


def crm_settings(server_url: str, sandboxes: Sandboxes) -> dict[str, str]:
    """The settings that point the syncs at these CRMs."""
    found: dict[str, str] = {}
    for name, sandbox in sandboxes.by_name.items():
        found |= sandbox.settings(f"{server_url}/{name}")
    return found


class ControlApp:
    """``GET status``, ``POST tick`` and ``POST faults``, as JSON, for whoever has the token."""

    def __init__(
        self, sandboxes: Sandboxes, faults: FaultInjector, *, server_url: str, token: str
    ) -> None:
        self._sandboxes = sandboxes
        self._faults = faults
        self._server_url = server_url
        self._expected = f"Bearer {token}".encode()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        sent = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(sent, self._expected):
            return _error(401, "unauthorized", "Control needs the token of the state file.")
        match request.method, request.path:
            case "GET", "/status":
                return _json(self._status())
            case "POST", "/tick":
                return self._tick(request)
            case "POST", "/faults":
                return self._set_faults(request)
        return _error(404, "not_found", "There are GET status, POST tick and POST faults.")

    def _status(self) -> dict[str, Any]:
        urls, counts = crm_urls(self._server_url, self._sandboxes), self._sandboxes.counts()
        return {
            "settings": crm_settings(self._server_url, self._sandboxes),
            "crms": {
                name: {
                    "url": urls[name],
                    "counts": counts[name],
                    "budgets": [asdict(one) for one in self._sandboxes.by_name[name].budgets()],
                }
                for name in urls
            },
            "faults": [str(fault) for fault in self._faults.in_force],
        }

    def _tick(self, request: Request) -> Response:
        names = (request.get_json(silent=True) or {}).get("crms")
        try:
            return _json({"changes": self._sandboxes.tick(_names(names))})
        except UnknownCrm as problem:
            return _error(400, "unknown_crm", str(problem))

    def _set_faults(self, request: Request) -> Response:
        texts: list[str] = (request.get_json(silent=True) or {}).get("faults") or []
        try:
            self._faults.set(Fault.parse(text) for text in texts)
        except (UnknownFault, FaultDoesNotApply) as problem:
            return _error(400, "wrong_fault", str(problem))
        return _json({"faults": [str(fault) for fault in self._faults.in_force]})


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else check_names(names)


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _error(status: int, code: str, message: str) -> Response:
    return _json({"error": {"code": code, "message": message}}, status)


def _call(control: Control, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Raises ConnectionError where nobody answers, SandboxError where the call is refused."""
    url = urlsplit(control.url)
    link = http.client.HTTPConnection(url.hostname or "", url.port, timeout=REQUEST_SECONDS)
    headers = {"Authorization": f"Bearer {control.token}", "Content-Type": "application/json"}
    try:
        link.request(method, url.path + path, json.dumps(body), headers)
        response = link.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        link.close()
    if response.status >= 400:
        raise SandboxError(f"The running sandbox refused: {answer['error']['message']}")
    return answer


def tick(data_dir: Path, crms: tuple[str, ...] | None = None) -> Changes:
    """Change the data, through the serving process where there is one, else on disk.

    Raises UnknownCrm, and SandboxBusy while a process is starting or stopping.
    """
    wanted = None if crms is None else check_names(crms)
    state_file = StateFile(data_dir)
    if control := state_file.load().control:
        try:
            body = {"crms": None if wanted is None else list(wanted)}
            changes: Changes = _call(control, "POST", "/tick", body)["changes"]
        except ConnectionError:
            pass  # it was killed, which the serving lock decides
        else:
            return changes
    return _tick_on_disk(state_file, wanted)


def _tick_on_disk(state_file: StateFile, crms: tuple[str, ...] | None) -> Changes:
    try:
        lock = state_file.serving_lock()
    except SandboxBusy:
        raise SandboxBusy(
            f"The sandbox of {state_file.data_dir} is starting or stopping; try again in a moment."
        ) from None
    with lock:
        state_file.begin()
        return Sandboxes(state_file, crms).tick(crms)


def set_faults(data_dir: Path, faults: Iterable[Fault]) -> list[str]:
    """Give the serving process these faults and no others; what is in force.

    Raises SandboxNotRunning, and SandboxError for a fault that does not apply.
    """
    control = StateFile(data_dir).load().control
    try:
        if control is None:
            raise ConnectionError
        body = {"faults": [str(fault) for fault in faults]}
        found: list[str] = _call(control, "POST", "/faults", body)["faults"]
    except ConnectionError:
        raise SandboxNotRunning("No sandbox is running, so none has faults.") from None
    return found


def is_running(data_dir: Path) -> bool:
    """Whether a process serves this data directory and answers."""
    state = StateFile(data_dir).load()
    return bool(_serving(state)["running"])


def status(data_dir: Path) -> dict[str, Any]:
    """What is there: running, url, pid, data_dir, seed, rows, ticks (ISO 8601), and, while a
    process serves it, settings, faults, and crms with url and counts."""
    state_file = StateFile(data_dir)
    state = state_file.load()
    known = {
        "data_dir": str(state_file.data_dir),
        "seed": state.seed,
        "rows": state.rows,
        "ticks": [t.at.isoformat() for t in state.ticks],
    }
    return {**_serving(state), **known}


def _serving(state: SandboxState) -> dict[str, Any]:
    nobody: dict[str, Any] = {
        "running": False,
        "url": None,
        "pid": None,
        "settings": {},
        "crms": {},
        "faults": [],
    }
    if state.control is None:
        return nobody
    try:
        answer = _call(state.control, "GET", "/status")
    except ConnectionError:
        return nobody
    url = state.control.url.removesuffix(CONTROL_PATH)
    return {"running": True, "url": url, "pid": state.control.pid, **answer}


def settings(data_dir: Path) -> dict[str, str]:
    """The settings that point the syncs at the running sandbox. Raises SandboxNotRunning."""
    now = status(data_dir)
    if not now["running"]:
        raise SandboxNotRunning("No sandbox is running; start one with manage.py crm_sandbox.")
    found: dict[str, str] = now["settings"]
    return found
