"""A CRM's list over HTTP, in pages of JSON, and those who load it: a sync of ours and plain dlt.

``python -m benchmarks.sync.rest ROWS`` answers as SalesRabbit does, on a port that it prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from benchmarks.sync.product import FIRST, Phase

PER_PAGE = 2000
# Some programs ask for a password where the server does not.
ANY = "none"


def lead(number: int) -> dict[str, Any]:
    words = {name: f"value {number * 31 % 9973} of {name}" for name in _WORDS}
    moments = dict.fromkeys(_MOMENTS, f"2026-01-{number % 28 + 1:02}T08:{number % 60:02}:00+00:00")
    return {
        "id": number,
        "userId": number % 97,
        "campaignId": number % 7,
        "latitude": number / 7,
        "longitude": -number / 7,
        "dateOfBirth": f"19{number % 80 + 10}-05-01",
        "customFields": {"roof": "slate", "age": number % 40},
        "integrationData": {},
        "files": [],
        "appointment": None,
        "deletedAt": None,
        **words,
        **moments,
    }


_WORDS = [
    "userName",
    "firstName",
    "lastName",
    "businessName",
    "phonePrimary",
    "phoneAlternate",
    "email",
    "street1",
    "street2",
    "city",
    "state",
    "zip",
    "country",
    "status",
    "notes",
]
_MOMENTS = ("statusModified", "ownerModified", "dateCreated", "dateModified")


@contextmanager
def server(rows: int) -> Iterator[str]:
    """In a process of its own, so that only those who ask it are measured."""
    words = [sys.executable, "-m", __name__, str(rows)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def ours(source: str, warehouse: str, folder: Path) -> list[Phase]:
    from ingestion.sync.common.run import ModelResult, SyncOptions
    from ingestion.sync.common.source import SourceContext
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.pipeline import run_model
    from ingestion.sync.load.run import Run
    from ingestion.sync.salesrabbit.settings import (
        API_TOKEN,
        BASE_URL,
        CRM,
        REQUESTS_PER_MINUTE,
    )
    from ingestion.sync.salesrabbit.source import Source

    settings = {BASE_URL: source, API_TOKEN: "none", REQUESTS_PER_MINUTE: "100000"}
    (model,) = (model for model in CRM.models if model.name == "leads")

    def run() -> dict[str, float]:
        opened = Source(SourceContext(settings))
        with closing(opened), closing(Warehouse(warehouse)) as target:
            asked = Run(CRM, model, opened, SyncOptions(), target, folder)
            return run_model(asked, ModelResult("leads")).seconds

    return [(FIRST, run)]


def with_password(warehouse: str) -> str:
    url = sa.make_url(warehouse)
    return url.set(password=url.password or ANY).render_as_string(hide_password=False)


def plain_dlt(source: str, warehouse: str, folder: Path) -> list[Phase]:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    from dlt.sources.helpers import requests

    @dlt.resource(name="leads", primary_key="id", write_disposition="merge", max_table_nesting=0)
    def leads() -> Iterator[list[dict[str, Any]]]:
        page, has_more = 1, True
        while has_more:
            place = {"page": page, "perPage": PER_PAGE}
            answer = requests.get(f"{source}/leads", params=place).json()
            yield answer["data"]
            page, has_more = page + 1, answer["meta"]["morePages"]

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.postgres(with_password(warehouse)),
        dataset_name="bench",
    )
    return [(FIRST, lambda: pipeline.run(leads()))]


class _Leads(BaseHTTPRequestHandler):
    """``pages``: the bodies, by number and by how many leads were asked for."""

    rows = 0
    pages: dict[tuple[int, int], bytes] = {}

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        body = self._page(int(asked["page"][0]), int(asked["perPage"][0]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self, page: int, size: int) -> bytes:
        if (page, size) not in self.pages:
            first, last = (page - 1) * size + 1, min(page * size, self.rows)
            data = [lead(number) for number in range(first, last + 1)]
            told = {"data": data, "meta": {"morePages": last < self.rows}}
            self.pages[page, size] = json.dumps(told).encode()
        return self.pages[page, size]

    def log_message(self, *_words: Any) -> None:
        """Nothing is told."""


if __name__ == "__main__":
    _Leads.rows = int(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Leads) as answering:
        print(answering.server_port, flush=True)
        answering.serve_forever()
