"""Serves the CRMs over HTTP on the local machine.

Each CRM that is read over HTTP is under ``/<crm>``; ``/_control`` needs the token that only the
state file has.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from werkzeug import Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.base import WsgiApp
from sandbox.errors import PortTaken
from sandbox.faults.injector import FaultInjector
from sandbox.faults.kinds import Fault
from sandbox.serving.control import CONTROL_PATH, ControlApp, crm_settings, crm_urls
from sandbox.serving.registry import Sandboxes
from sandbox.serving.state import Control, SandboxState, StateFile

HOST = "127.0.0.1"
USUAL_PORT = 8100
POLL_SECONDS = 0.05  # between two looks whether to stop

# Takes a CRM's name and its app, returns the app that is mounted: for middleware around one CRM.
Wrap = Callable[[str, WsgiApp], WsgiApp]


class _QuietHandler(WSGIRequestHandler):
    """A sync makes thousands of requests; a line for each hides what matters."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...


def _unwrapped(_crm: str, app: WsgiApp) -> WsgiApp:
    return app


def _listen(host: str, port: int | None) -> socket.socket:
    """A listening socket. ``port`` None takes the usual one, or a free one where it is in use."""
    try:
        return socket.create_server((host, USUAL_PORT if port is None else port))
    except OSError as problem:
        if port is None:
            return socket.create_server((host, 0))
        raise PortTaken(
            f"Port {port} cannot be had ({problem.strerror}); give another --port."
        ) from None


class SandboxServer(AbstractContextManager["SandboxServer"]):
    """One process's sandbox: entered it serves, left it has stopped.

    ``names`` None serves every CRM. ``port`` None takes the usual one or a free one, 0 a
    free one. ``host``: on which of this machine's addresses it listens; its own URLs name the local
    one. ``faults``: those that they have from the start; ``self.faults`` changes them. Raises
    SandboxBusy, PortTaken, UnknownCrm and FaultDoesNotApply on entering.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        seed: int | None = None,
        rows: int | None = None,
        names: tuple[str, ...] | None = None,
        port: int | None = None,
        host: str = HOST,
        wrap: Wrap = _unwrapped,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self._state_file = StateFile(data_dir)
        self._size = {"seed": seed, "rows": rows}
        self._names = names
        self._port, self._host = port, host
        self._wrap = wrap
        self._wanted_faults = faults

    def __enter__(self) -> SandboxServer:
        self._lock = self._state_file.serving_lock()
        try:
            self._start()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _start(self) -> None:
        with _listen(self._host, self._port) as listener:
            self.url = f"http://{HOST}:{listener.getsockname()[1]}"
            self._state_file.begin(**self._size)
            self.sandboxes = Sandboxes(self._state_file, self._names)
            self.faults = FaultInjector(self.sandboxes.by_name)
            self.faults.set(self._wanted_faults)
            token = secrets.token_urlsafe(32)
            self._http = self._http_server(listener, token)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(POLL_SECONDS,), name="crm-sandbox"
        )
        self._thread.start()
        control = Control(self.url + CONTROL_PATH, token, os.getpid())
        self._state_file.update(lambda state: replace(state, control=control))

    def _http_server(self, listener: socket.socket, token: str) -> BaseWSGIServer:
        apps = {
            f"/{name}": self.faults.wrap(name, self._wrap(name, app))
            for name, app in self._apps().items()
        }
        apps[CONTROL_PATH] = ControlApp(
            self.sandboxes, self.faults, server_url=self.url, token=token
        )
        app = DispatcherMiddleware(Response("There is no CRM here.", 404), apps)
        return make_server(
            HOST,
            listener.getsockname()[1],
            app,
            threaded=True,
            request_handler=_QuietHandler,
            fd=listener.fileno(),
        )

    def _apps(self) -> dict[str, WsgiApp]:
        found = {name: sandbox.wsgi() for name, sandbox in self.sandboxes.by_name.items()}
        return {name: app for name, app in found.items() if app is not None}

    def __exit__(self, *_exc: object) -> None:
        self._state_file.update(lambda state: replace(state, control=None))
        self.faults.set(())
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._lock.release()

    @property
    def state(self) -> SandboxState:
        return self._state_file.load()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that point the syncs here."""
        return crm_settings(self.url, self.sandboxes)

    @property
    def urls(self) -> dict[str, str | None]:
        """Where each CRM is mounted; None for one that is not read over HTTP."""
        return crm_urls(self.url, self.sandboxes)
