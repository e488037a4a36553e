"""What every sub-command is given."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestion.management.cli.output import Output
from ingestion.pool.change import ChangeRequest

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

# How the next command to type is written.
COMMAND = "manage.py manage_worker_pool"

# The options of a sub-command by name, as argparse read them.
Options = dict[str, Any]


@dataclass(frozen=True)
class Cli:
    """The pool to act on, who acts, and where to write. ``is_shell``: typed in a shell, which
    reads the exit code; False for Python code that calls the command."""

    pool: WorkerPoolService
    out: Output
    actor: str
    is_shell: bool = False

    def change(self, options: Options) -> ChangeRequest:
        """What the options say of who asks for it, why, and at which revision it was seen."""
        return ChangeRequest(
            by=self.actor,
            reason=options.get("reason", ""),
            expected_revision=options.get("revision"),
        )


Verb = Callable[[Cli, Options], None]


def actor() -> str:
    """Who typed the command, for the audit record."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user id without a name
        name = f"uid {os.getuid()}"
    return f"{name} (command line)"
