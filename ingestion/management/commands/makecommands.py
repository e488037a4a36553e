"""Writes what follows from the CRM folders, as ``makemigrations`` writes migrations: the ``sync_*``
commands, and the CRMs' part of ``.env.example``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.services.crms import env_example
from ingestion.services.requests.routing import command_name
from ingestion.sync.common.registry import crms

COMMANDS_DIR = Path(__file__).parent
# Only a file with these words is ours to change or remove.
WRITTEN_BY = "Written by ``manage.py makecommands``."
STUB = '''"""Load {title} {sync_type} into the warehouse. {written_by}"""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "{crm_source}"
    sync_type = "{sync_type}"
'''


class Command(BaseCommand):
    help = "Write the sync_* commands and the settings that the CRM folders call for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(differences(COMMANDS_DIR))
        if options["check"] and found:
            listed = "; ".join(f"{path.name} {what}" for path, what in found)
            raise CommandError(f"Run 'manage.py makecommands': {listed}.", returncode=1)
        for path, what in found:
            self.stdout.write(f"{path.name} was {what}")
        write(COMMANDS_DIR)
        if options["verbosity"]:
            self.stdout.write(f"{len(stubs())} commands are up to date.")


def stubs() -> dict[str, str]:
    """The text of every command file by its name."""
    return {
        f"{command_name(name, sync_type)}.py": STUB.format(
            title=crm.title, crm_source=name, sync_type=sync_type, written_by=WRITTEN_BY
        )
        for name, crm in crms().items()
        for sync_type in crm.sync_types
    }


def differences(directory: Path) -> Iterator[tuple[Path, str]]:
    """Files that are missing, different or extra. Raises CommandError for a file by another hand
    that stands in the way."""
    wanted = stubs()
    for name, text in wanted.items():
        path = directory / name
        if not path.exists():
            yield path, "missing"
        elif path.read_text() != text:
            _must_be_ours(path)
            yield path, "different"
    for path in sorted(directory.glob("sync_*.py")):
        if path.name not in wanted and WRITTEN_BY in path.read_text():
            yield path, "extra"
    if env_example.is_stale(_project(directory), crms().values()):
        yield _project(directory) / env_example.FILE_NAME, "different"


def write(directory: Path) -> None:
    """Bring the files of a folder up to date."""
    wanted = stubs()
    for path, what in list(differences(directory)):
        if what == "extra":
            path.unlink()
        elif path.name == env_example.FILE_NAME:
            env_example.write(_project(directory), crms().values())
        else:
            path.write_text(wanted[path.name])


def _project(directory: Path) -> Path:
    """The folder above ``ingestion/management/commands``."""
    return directory.parents[2]


def _must_be_ours(path: Path) -> None:
    if WRITTEN_BY not in path.read_text():
        raise CommandError(
            f"{path} was not written by makecommands and will not be overwritten: rename it."
        )
