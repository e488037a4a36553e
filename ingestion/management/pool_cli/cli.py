"""What every sub-command is given."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestion.management.pool_cli.output import Output
from ingestion.services.worker_pool import WorkerPoolService

# How the next command to type is written.
COMMAND = "manage.py manage_worker_pool"

# The options of a sub-command by name, as argparse read them.
Options = dict[str, Any]


@dataclass(frozen=True)
class Cli:
    """The pool to act on, who acts, and where to write."""

    pool: WorkerPoolService
    out: Output
    actor: str


Verb = Callable[[Cli, Options], None]


def actor() -> str:
    """Who typed the command, for the audit record."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user id without a name
        name = f"uid {os.getuid()}"
    return f"{name} (command line)"
