"""Makes the folder of a new CRM, and a stand-in to try it against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion import conf
from ingestion.services.new_crm import CannotStart, NewCrm, kinds, make, title_of

WRONG_USE = 2
NEXT_STEPS = """\
It runs as it is, against an example. Next:
  manage.py makecommands      write sync_{name}_* and the settings in .env.example
  manage.py makedatasets      write its part of docs/datasets.md
  manage.py crm_sandbox --crm {name}
                              play {title}; copy the settings that it prints into .env
                              (a running 'up' is started again instead: it does both)
  manage.py check_crm {name}
  manage.py sync_{name}_all
  manage.py verify_warehouse {name}
  pytest ingestion/sync/{name} tests/contract/test_every_crm.py -k {name}
Then make it yours: docs/adding_a_crm.md says what to change."""


class Command(BaseCommand):
    help = "Make the folder of a new CRM from a template, and its stand-in in the sandbox."
    # The new CRM may be the cure of what a check finds.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of folder, commands and dataset, e.g. acme")
        parser.add_argument(
            "--kind", choices=kinds(), required=True, help="how it is read: HTTP API or database"
        )
        parser.add_argument("--title", help="how people call it, e.g. 'Acme CRM'")
        parser.add_argument("--dir", type=Path, help="the project's folder (this one)")

    def handle(self, *args: Any, **options: Any) -> None:
        name, project = options["name"], options["dir"] or conf.system_conf().base_dir
        title = (options["title"] or title_of(name)).strip()
        try:
            written = make(NewCrm(name, title, options["kind"], project.resolve()))
        except CannotStart as refusal:
            raise CommandError(str(refusal), returncode=WRONG_USE) from refusal
        for path in written:
            self.stdout.write(str(path.relative_to(project.resolve())))
        self.stdout.write(NEXT_STEPS.format(name=name, title=title))
