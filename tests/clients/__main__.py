"""Starts a sandbox, lets every client read it, and prints what each has seen."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django
from rich.console import Console
from rich.table import Table

from sandbox.serving.server import SandboxServer

ROWS = 24
READERS = Path(__file__).parent / "readers"
SECONDS = 120


@dataclass(frozen=True)
class Client:
    """``package`` is installed; ``reader`` is the program that uses it. ``environment``: the folder of
    its own environment, for what cannot be installed beside the others."""

    package: str
    reader: str
    crm: str
    expected: Callable[[Any], dict[str, Any]]
    title: str = ""
    environment: str = ""

    @property
    def name(self) -> str:
        return self.title or self.package

    def python(self, others: Path) -> str:
        """``others``: the interpreter of the environment that most clients share."""
        root = others.parents[1]
        return str(root / self.environment / "bin" / "python" if self.environment else others)


@dataclass(frozen=True)
class Outcome:
    """What one client saw of one list; ``verdict`` is ``equal`` or says what is wrong."""

    client: str
    version: str
    what: str
    records: int
    verdict: str

    @property
    def is_equal(self) -> bool:
        return self.verdict == "equal"


def clients() -> list[Client]:
    from tests.clients import expected

    return [
        Client("hubspot-api-client", "hubspot_api_client", "hubspot", expected.hubspot),
        Client(
            "tap-hubspot", "tap_hubspot_client", "hubspot", expected.singer, environment="singer"
        ),
        Client(
            "requests",
            "callrail_manifest",
            "callrail",
            expected.callrail,
            title="requests, by Airbyte's manifest",
        ),
        Client("gspread", "gspread_client", "gsheet", expected.leads),
        Client("google-api-python-client", "google_api_client", "gsheet", expected.spends),
        Client("PyAthena", "pyathena_client", "salespro", expected.lake),
        Client("zeep", "zeep_client", "five9", expected.five9),
        Client("pyodata", "pyodata_client", "marketsharp", expected.marketsharp),
    ]


def outcomes(client: Client, others: Path, server: SandboxServer) -> Iterator[Outcome]:
    python = client.python(others)
    version = version_of(client.package, python)
    if version is None:
        yield Outcome(client.name, "-", "-", 0, "not installed")
        return
    run = subprocess.run(
        [python, READERS / f"{client.reader}.py"],
        input=json.dumps(server.settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        yield Outcome(client.name, version, "-", 0, f"failed: {last}")
        return
    read = json.loads(run.stdout)
    # As the reader's went through JSON.
    wanted = json.loads(json.dumps(client.expected(server.sandboxes.by_name[client.crm])))
    for what in sorted(wanted.keys() | read.keys()):
        verdict = difference(wanted.get(what), read.get(what))
        yield Outcome(client.name, version, what, len(read.get(what) or ()), verdict)


def difference(wanted: Any, read: Any) -> str:
    """``equal``, or an example."""
    if wanted is None or read is None:
        return "was not read" if read is None else "is not expected"
    for key in sorted(wanted.keys() | read.keys()):
        one, other = wanted.get(key), read.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            inner = difference(one, other)
            if inner != "equal":
                return f"{key}: {inner}"
        elif one != other:
            return f"{key or 'it'} is {other!r}, not {one!r}"
    return "equal"


def version_of(package: str, python: str) -> str | None:
    """None where it is not installed."""
    if not Path(python).exists():
        return None
    question = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    run = subprocess.run([python, "-c", question, package], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="make clients", description=__doc__)
    parser.add_argument(
        "--python", required=True, type=Path, help="of the environment with the clients"
    )
    options = parser.parse_args()
    django.setup()
    crms = tuple({client.crm for client in clients()})
    with (
        TemporaryDirectory() as folder,
        SandboxServer(Path(folder), names=crms, rows=ROWS, port=0) as server,
    ):
        for sandbox in server.sandboxes.by_name.values():
            for rate in getattr(sandbox, "rates", ()):
                rate.requests = 0
        found = [o for client in clients() for o in outcomes(client, options.python, server)]
    table = Table("client", "version", "what it read", "records", "verdict")
    for outcome in found:
        row = (outcome.client, outcome.version, outcome.what, str(outcome.records))
        table.add_row(*row, outcome.verdict)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table)
    wrong = sum(not outcome.is_equal for outcome in found)
    equal = len(found) - wrong
    console.print(f"{equal} of {len(found)} readings are equal to what the sandbox holds.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
