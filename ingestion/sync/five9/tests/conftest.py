"""Five9's source against its sandbox, served on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.rate_limit import ProcessRateLimiter
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from ingestion.sync.five9.engines import admin
from ingestion.sync.five9.settings import CRM
from ingestion.sync.five9.source import Source
from ingestion.sync.http.retry import RetryPolicy
from sandbox.crms.five9.service import Five9Sandbox
from sandbox.serving.server import SandboxServer

MODEL = CRM.model("contacts")
EVERYTHING = Window()
LATER = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Five9:
    """A domain and what a run needs to read it."""

    sandbox: Five9Sandbox
    settings: dict[str, str]
    meter: Meter = field(default_factory=Meter)
    reporter: Reporter = field(default_factory=SilentReporter)

    def source(self, **changed: str) -> Source:
        settings = {s.name: s.default for s in CRM.settings} | self.settings | changed
        return Source(
            SourceContext(
                settings,
                timeout_seconds=10,
                meter=self.meter,
                reporter=self.reporter,
                limiter=ProcessRateLimiter(),
            )
        )

    def read(self, window: Window = EVERYTHING, **changed: str) -> list[Record]:
        source = self.source(**changed)
        try:
            pages = source.pages(MODEL, window, batch_size=None)
            return [record for page in pages for record in page.records]
        finally:
            source.close()

    def ids(self, window: Window = EVERYTHING, **changed: str) -> list[str]:
        return [record["contact_key"] for record in self.read(window, **changed)]

    def only(self, *numbers: str | None, **values: str | None) -> None:
        """A domain with these contacts, by their number1."""
        self.sandbox.domain.contacts.clear()
        for number in numbers:
            self.sandbox.domain.add({"number1": number, **values})


@pytest.fixture
def five9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Five9]:
    quick = RetryPolicy(attempts=3, first_delay_seconds=0.001, max_delay_seconds=0.002)
    monkeypatch.setattr(admin, "RETRY", quick)
    with SandboxServer(tmp_path, names=("five9",), rows=150, port=0) as server:
        sandbox: Any = server.sandboxes.by_name["five9"]
        yield Five9(sandbox, server.settings)
