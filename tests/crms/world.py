"""A CRM's sandbox, a warehouse, and the commands that load one into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import ModelReport, verify
from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.registry import crms, load_source
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.source import Crm
from sandbox.base import Sandbox
from sandbox.serving.server import SandboxServer
from tests.crms.processes import killed_in

ROWS = 24
# Several pages of each model, so that there is something between the first and the last one.
BATCH_SIZE = 10

# What a delta cannot find gone, by the READMEs of the CRMs: a full run marks it.
FOUND_GONE_BY_FULL: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("callrail", "five9", "genius", "gsheet", "hubspot", "leadconduit"), frozenset()
    ),
    "arrivy": frozenset({"tasks"}),
    "marketsharp": frozenset(
        model.name for model in crms()["marketsharp"].models if model.incremental == "cursor"
    ),
    "salespro": frozenset({"jobs", "appointments"}),
    "salesrabbit": frozenset({"leads"}),
}


@dataclass(frozen=True)
class SyncCommandName:
    """``sync_<crm>_<sync_type>``, taken apart."""

    crm: str
    sync_type: str

    def __str__(self) -> str:
        return f"sync_{self.crm}_{self.sync_type}"

    @property
    def model(self) -> str | None:
        """The one model that it loads; None for all."""
        return None if self.sync_type == "all" else self.sync_type


def all_commands() -> list[SyncCommandName]:
    """Every sync command there is, CRM by CRM."""
    return [SyncCommandName(c.name, kind) for c in crms().values() for kind in c.sync_types]


def found_gone_by_full(crm_source: str) -> frozenset[str]:
    """Of a CRM that is not listed: what is read in part, and whose keys its source cannot list."""
    if crm_source in FOUND_GONE_BY_FULL:
        return FOUND_GONE_BY_FULL[crm_source]
    if hasattr(load_source(crm_source), "keys"):
        return frozenset()
    models = crms()[crm_source].models
    return frozenset(
        m.name for m in models if m.incremental != "full" and m.deletions == "full_run"
    )


@dataclass
class World:
    """One CRM's sandbox and one warehouse, which ``settings`` (pytest-django's) name."""

    crm: Crm
    server: SandboxServer
    settings: Any

    @property
    def warehouse_url(self) -> str:
        return str(self.settings.INGESTION_WAREHOUSE_URL)

    @property
    def sandbox(self) -> Any:
        return self.server.sandboxes.by_name[self.crm.name]

    def tick(self) -> dict[str, int]:
        """Change, add and delete some records."""
        return self.server.sandboxes.tick((self.crm.name,))[self.crm.name]

    def run(
        self, sync_type: str = "all", *, reporter: Reporter | None = None, **options: Any
    ) -> SyncResult:
        """Run the command to its end; it says success, in its result and in one row."""
        rows = SyncHistory.objects.count()
        handle = RunHandle(reporter or SilentReporter())
        call_command(f"sync_{self.crm.name}_{sync_type}", *_flags(options), run=handle)
        assert handle.result is not None
        assert (handle.result.status, handle.result.warning) == ("success", None)
        assert SyncHistory.objects.count() == rows + 1
        assert SyncHistory.objects.latest("pk").status == "success"
        return handle.result

    def run_killed(self, step: str, model: str, sync_type: str, **options: Any) -> None:
        """Run the command in a process of its own that dies by SIGKILL at a step of a model."""
        name = f"sync_{self.crm.name}_{sync_type}"

        def run(reporter: Reporter) -> None:
            handle = RunHandle(reporter, opens_history=False)
            call_command(name, *_flags(options), run=handle)

        killed_in(step, model, run)

    def differences(self, model: str | None = None) -> list[ModelReport]:
        return list(verify(self.crm.name, model, SilentReporter()))

    def models_of(self, sync_type: str) -> tuple[str, ...]:
        return tuple(m.name for m in self.crm.models) if sync_type == "all" else (sync_type,)


@contextmanager
def sandboxes(*names: str, folder: Path, rows: int) -> Iterator[SandboxServer]:
    """New sandboxes without limits: nothing is proven about rates here."""
    with SandboxServer(folder, names=names, rows=rows, port=0) as server:
        for sandbox in server.sandboxes.by_name.values():
            _relax(sandbox)
        yield server


def _flags(options: Mapping[str, Any]) -> list[str]:
    """``{"full": True, "max_records": 3}`` as on a command line."""
    names = {name: f"--{name.replace('_', '-')}" for name in options}
    return [
        flag if options[name] is True else f"{flag}={options[name]}" for name, flag in names.items()
    ]


def _relax(sandbox: Sandbox) -> None:
    if hasattr(sandbox, "relax"):
        sandbox.relax()
    for rate in getattr(sandbox, "rates", ()):
        rate.requests = 0
