"""From a CRM and a sync type to the management command that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partialmethod
from typing import Any, Protocol, runtime_checkable

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.pool.errors import InvalidParameters
from ingestion.services.requests import sync_commands
from ingestion.services.requests.parameters import command_flags
from ingestion.services.requests.routing import (
    ROUTES,
    Route,
    command_name,
    known_crms,
    normalize_sync_type,
    resolve,
    routes,
    task_name,
)
from ingestion.services.runs.runner import RunHandle
from ingestion.services.scheduling import runs as schedule_runs
from ingestion.services.security.secrets import mask_error
from ingestion.services.worker_pool import get_worker_pool
from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crms
from ingestion.sync.common.run import SyncResult

__all__ = [
    "ROUTES",
    "IngestionAdapter",
    "Route",
    "command_name",
    "known_crms",
    "resolve",
    "routes",
    "task_name",
]


@runtime_checkable
class PreparedCommand(Protocol):
    """A CRM without a folder brings a command of its own, which need not be one."""

    def prepare(self) -> None: ...


class IngestionAdapter:
    """Runs the command of a route in this process.

    Besides the methods below there is one ``_get_<crm>_command(sync_type)`` per CRM.
    """

    def run_source_ingestion(
        self,
        crm_source: str,
        sync_type: str | None = None,
        *,
        run: RunHandle | None = None,
        **kwargs: Any,
    ) -> SyncResult | None:
        """Run a sync with the parameters ``kwargs``; what it did.

        ``run`` carries the reporter and, after a failure too, the counts so far. Errors:
        UnknownSource, SyncError (unknown parameters are a PermanentError), SyncStopped.
        """
        route = resolve(crm_source, sync_type)
        handle = run or RunHandle(SilentReporter(), asked=route.asked)
        self._execute_management_command(route.command, run=handle, **kwargs)
        return handle.result

    @staticmethod
    def prepare(crm_source: str, sync_type: str) -> None:
        """Import what a sync will, where its command knows. Raises what an import raises, UnknownSource,
        SyncError."""
        command = sync_commands.load(resolve(crm_source, sync_type).command)
        if isinstance(command, PreparedCommand):
            command.prepare()

    @staticmethod
    def validate_parameters(parameters: Mapping[str, Any]) -> None:
        """For entry points that want to refuse early. Raises InvalidParameters."""
        command_flags(parameters)

    def execute_schedule(self, schedule_id: int, *, asked_by: str = "") -> str:
        """Run a schedule's sync now: submit it to the pool, or run it in this process. How that
        went, in a word or two; see ``schedule_runs.execute``."""
        return schedule_runs.execute(
            schedule_id, asked_by=asked_by, pool=get_worker_pool(), run_here=self._run_here
        )

    def _run_here(self, route: Route, handle: RunHandle, parameters: Mapping[str, Any]) -> None:
        self._execute_management_command(route.command, run=handle, **parameters)

    def _normalize_sync_type(self, crm_source: str, sync_type: str | None) -> str:
        return normalize_sync_type(crm_source, sync_type)

    def _get_command_for_source(self, crm_source: str, sync_type: str | None) -> str:
        """Raises UnknownSource, UnknownSyncType."""
        return resolve(crm_source, sync_type).command

    def _execute_management_command(self, command: str, *, run: RunHandle, **kwargs: Any) -> None:
        """A command that leaves by SystemExit has failed, whatever it meant by it."""
        try:
            flags = command_flags(kwargs)
        except InvalidParameters as problem:
            raise PermanentError(str(problem)) from problem
        found = sync_commands.load(command)
        # A CRM without a folder brings a command of its own, which need not know of our handle.
        handed = {"run": run} if "run" in found.stealth_options else {}
        try:
            _call(command, found, flags, **handed)
        except CommandError as problem:
            raise PermanentError(mask_error(str(problem))) from problem
        except SystemExit as left:
            if is_worker_shutdown(left):
                raise
            raise PermanentError(f"{command} ended by itself with exit code {left.code}.") from left


_parsers: dict[type[BaseCommand], CommandParser] = {}


def _call(name: str, command: BaseCommand, flags: list[str], **handed: Any) -> None:
    """As Django's ``call_command``, which makes a parser each time: that costs as much as all else
    that the pool does for a task."""
    kind = type(command)
    if kind not in _parsers:
        _parsers[kind] = command.create_parser("", name)
    options = vars(_parsers[kind].parse_args(flags))
    command.execute(**{**options, **handed, "skip_checks": True})


def is_worker_shutdown(left: SystemExit) -> bool:
    """True when billiard ends a worker's child on a signal: exit code signal - 256."""
    return isinstance(left.code, int) and -256 < left.code < -128


for _name in crms():
    setattr(
        IngestionAdapter,
        f"_get_{_name}_command",
        partialmethod(IngestionAdapter._get_command_for_source, _name),
    )
