"""HubSpot's sandbox on a port of this machine, without limits unless a test sets some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from ingestion.sync.common.rate_limit import ProcessRateLimiter, RateLimiter
from ingestion.sync.common.source import Meter, Model, Page, Record, SourceContext, Window
from ingestion.sync.hubspot.settings import CRM
from ingestion.sync.hubspot.source import Source
from sandbox.base import SandboxConf
from sandbox.crms.hubspot import HubspotSandbox

ROWS = 250
TICK_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Account:
    """A sandbox, the source that reads it, and what both saw."""

    sandbox: HubspotSandbox
    url: str = ""
    meter: Meter = field(default_factory=Meter)
    limiter: RateLimiter = field(default_factory=ProcessRateLimiter)
    requests: list[str] = field(default_factory=list)  # method and path of each request

    def source(self, **settings: str) -> Source:
        defaults = {s.name: s.default for s in CRM.settings}
        own = self.sandbox.settings(self.url)
        return Source(
            SourceContext(
                settings={**defaults, **own, **settings},
                meter=self.meter,
                limiter=self.limiter,
            )
        )

    def pages(self, name: str, window: Window | None = None, **settings: str) -> list[Page]:
        model: Model = CRM.model(name)
        source = self.source(**settings)
        try:
            return list(source.pages(model, window or Window(), batch_size=None))
        finally:
            source.close()

    def records(self, name: str, window: Window | None = None, **settings: str) -> list[Record]:
        return [r for page in self.pages(name, window, **settings) for r in page.records]

    def serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.sandbox.wsgi()(environ, start_response)


class QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...


@contextmanager
def served(account: Account) -> Iterator[Account]:
    server = make_server("127.0.0.1", 0, account.serve, threaded=True, request_handler=QuietHandler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    account.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def open_account(tmp_path: Path) -> Iterator[Callable[..., Account]]:
    with ExitStack() as stack:

        def opened(*, rows: int = ROWS, custom_properties: int = 0) -> Account:
            conf = SandboxConf(tmp_path, seed=3, rows=rows)
            sandbox = HubspotSandbox(conf, custom_properties=custom_properties).relax()
            return stack.enter_context(served(Account(sandbox)))

        yield opened


@pytest.fixture
def account(open_account: Callable[..., Account]) -> Account:
    return open_account()
