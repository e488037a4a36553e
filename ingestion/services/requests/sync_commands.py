"""The management command behind a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management import BaseCommand, CommandError, get_commands, load_command_class

from ingestion.pool.errors import InvalidParameters
from ingestion.services.requests.parameters import command_flags
from ingestion.sync.common.errors import PermanentError


def load(name: str) -> BaseCommand:
    """Raises PermanentError."""
    app = get_commands().get(name)
    if app is None:
        raise PermanentError(f"The command {name} does not exist; run: manage.py makecommands")
    return load_command_class(app, name) if isinstance(app, str) else app


def validate(name: str, parameters: Mapping[str, Any]) -> None:
    """By the flags of the command itself. Raises InvalidParameters."""
    flags = command_flags(parameters)
    try:
        load(name).create_parser("manage.py", name).parse_args(flags)
    except (CommandError, PermanentError) as problem:
        raise InvalidParameters(f"{name} refuses: {problem}") from problem
