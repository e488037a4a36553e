#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")
    try:
        from django.core.management import execute_from_command_line

        from data_warehouse.environment import SettingsProblems
    except ImportError as missing:
        raise SystemExit(
            f"{missing}. Install the dependencies first: 'make up' does it, or activate .venv."
        ) from missing
    try:
        execute_from_command_line(sys.argv)
    except SettingsProblems as problems:
        print(problems, file=sys.stderr)  # noqa: T201 - no command is there to say it
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
