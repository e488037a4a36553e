"""Plays a recording of ``record_crm``: answers each request of a sync as the CRM did then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from werkzeug import Request, Response

from ingestion.sync.common.registry import crms
from ingestion.sync.recording.bundle import Asked, Bundle, plain_path
from ingestion.sync.recording.matching import Tape
from sandbox.base import Sandbox, WsgiApp
from sandbox.faults.kinds import Fault
from sandbox.serving.server import SandboxServer
from sandbox.web import json_answer

ROWS = 24  # of the data that is behind the recording and never shown
PLACE = "http://replay.invalid"
Tell = Callable[[str], object]

logger = logging.getLogger(__name__)


class ReplayServer(AbstractContextManager["ReplayServer"]):
    """Serves one recording where the sandbox's CRM of that name would be. ``tell`` is told of
    requests that the recording has no answer for. Raises what SandboxServer raises."""

    def __init__(
        self,
        bundle: Bundle,
        data_dir: Path,
        *,
        port: int | None = None,
        faults: tuple[Fault, ...] = (),
        tell: Tell = logger.warning,
    ) -> None:
        self.bundle = bundle
        self._tape = Tape(bundle.exchanges)
        self._tell = tell
        self.server = SandboxServer(
            data_dir / "replay",
            names=(bundle.crm,),
            rows=ROWS,
            port=port,
            wrap=self._wrap,
            faults=faults,
        )

    def __enter__(self) -> ReplayServer:
        self.server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.__exit__(*exc)

    @property
    def settings(self) -> dict[str, str]:
        """Those that point the syncs here, and those that the recording was made with."""
        return {**self.server.settings, **self._own()}

    @property
    def command(self) -> str:
        """What runs the sync as it ran then; some models are reached through ``all`` only."""
        crm, model = self.bundle.crm, self.bundle.model
        sync_type = model if model in crms()[crm].sync_types else "all"
        return " ".join(("python manage.py", f"sync_{crm}_{sync_type}", *self.bundle.options))

    def to_json(self) -> dict[str, Any]:
        return {
            "crm": self.bundle.crm,
            "model": self.bundle.model,
            "url": self.server.url,
            "settings": self.settings,
            "command": self.command,
            **self._tape.to_json(),
        }

    def _own(self) -> dict[str, str]:
        """Of the recording, but for those that say where the CRM is and who asks it."""
        here = self._sandbox.settings(PLACE)
        return {
            name: value
            for name, value in self.bundle.settings.items()
            if PLACE not in here.get(name, "")
        }

    @property
    def _sandbox(self) -> Sandbox:
        return self.server.sandboxes.by_name[self.bundle.crm]

    def _wrap(self, _name: str, app: WsgiApp) -> WsgiApp:
        """The sandbox itself answers logins, which are not recorded."""

        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            request = Request(environ)
            if request.path in self._sandbox.login_paths:
                return app(environ, start_response)
            return self._answer(request)(environ, start_response)

        return serve

    def _answer(self, request: Request) -> Response:
        asked = self._asked(request)
        found = self._tape.answer(asked)
        if found is None:
            place = f"{asked.method} {asked.path}" + (
                f" ({asked.operation})" if asked.operation else ""
            )
            self._tell(f"The recording has no answer for {place}.")
            return json_answer({"error": {"message": f"not recorded: {place}"}}, 404)
        here = self._sandbox.settings(request.root_url.rstrip("/"))
        return Response(found.content(here), found.status, dict(found.headers))

    def _asked(self, request: Request) -> Asked:
        base, path = _place(self._sandbox.settings(PLACE), _raw_path(request))
        return Asked(
            request.method,
            base,
            plain_path(path),
            tuple(sorted(parse_qsl(request.query_string.decode(), keep_blank_values=True))),
            request.get_data().decode("utf-8", "replace"),
            request.headers.get("X-Amz-Target", ""),
        )


def _raw_path(request: Request) -> str:
    """Quoted as it was sent: the usual one has lost which slashes were quoted."""
    raw = urlsplit(str(request.environ.get("REQUEST_URI") or request.path)).path
    return raw.removeprefix(request.root_path.rstrip("/"))


def _place(settings: Mapping[str, str], path: str) -> tuple[str, str]:
    """The setting whose URL the path is below, and the rest of it."""
    prefixes = {
        name: value.removeprefix(PLACE)
        for name, value in settings.items()
        if value.startswith(PLACE)
    }
    found = [(n, p) for n, p in prefixes.items() if path == p or path.startswith(f"{p}/")]
    name, prefix = max(found, key=lambda pair: len(pair[1]), default=("", ""))
    return name, path.removeprefix(prefix)
