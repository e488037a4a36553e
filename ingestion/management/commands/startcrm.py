"""Makes the folder of a new CRM, and its part of the sandbox to try it against."""

from __future__ import annotations

import shutil
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.templates import TemplateCommand

from ingestion import installation_conf
from ingestion.services.crms.new_crm import CannotStart, NewCrm, check, kinds, title_of

WRONG_USE = 2
FOLLOWS = """\
  manage.py makecommands      write sync_{name}_* and the settings in .env.example
  manage.py makedatasets      write its part of docs/datasets.md
"""
NEXT_STEPS = f"""\
It runs as it is, against an example. Next:
{FOLLOWS}\
  manage.py crm_sandbox --crm {{name}}
                              serve {{title}}; copy the settings that it prints into .env
                              (a running 'up' is started again instead: it does both)
  manage.py check_crm {{name}}
  manage.py sync_{{name}}_all
  manage.py verify_warehouse {{name}}
  pytest ingestion/sync/{{name}} tests/contract/test_every_crm.py -k {{name}}
Then make it yours: docs/adding_a_crm.md says what to change."""
NEXT_STEPS_WITHOUT_SANDBOX = f"""\
There is no sandbox/ in this project: the example to run it against was not written, nor the tests
that read it. Next:
{FOLLOWS}\
Then make it yours: docs/adding_a_crm.md says what to change."""


class Command(TemplateCommand):
    help = "Make the folder of a new CRM from a template, and its part of the sandbox."
    # The new CRM may be the cure of what a check finds.
    requires_system_checks: list[str] = []
    rewrite_template_suffixes = ((".py-tpl", ".py"), (".md-tpl", ".md"))

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of folder, commands and dataset, e.g. acme")
        parser.add_argument(
            "--kind", choices=kinds(), required=True, help="how it is read: HTTP API or database"
        )
        parser.add_argument("--title", help="how people call it, e.g. 'Acme CRM'")
        parser.add_argument("--dir", type=Path, help="the project's folder (this one)")

    def handle(self, *args: Any, **options: Any) -> None:
        name, project = options["name"], options["dir"] or installation_conf.system_conf().base_dir
        title = (options["title"] or title_of(name)).strip()
        new = NewCrm(name, title, options["kind"], project.resolve())
        try:
            check(new)
        except CannotStart as refusal:
            raise CommandError(str(refusal), returncode=WRONG_USE) from refusal
        with tempfile.TemporaryDirectory() as folder:
            self._render(new, folder, verbosity=options["verbosity"])
            for path in _copy_files(Path(folder), new.project):
                self.stdout.write(str(path))
        steps = NEXT_STEPS if new.has_sandbox else NEXT_STEPS_WITHOUT_SANDBOX
        self.stdout.write(steps.format(name=name, title=title))

    def _render(self, new: NewCrm, folder: str, *, verbosity: int) -> None:
        """Into an empty folder: where black is installed, Django formats the whole of it, which
        must not be the project."""
        super().handle(
            "crm",
            new.name,
            folder,
            template=str(new.template),
            title=new.title,
            extensions=["py", "md"],
            files=[],
            exclude=[] if new.has_sandbox else ["sandbox", "tests"],
            verbosity=verbosity,
        )

    def validate_name(self, name: str, name_or_dir: str = "name") -> None:
        """Any name that ``check`` lets pass: a CRM may be called as an installed module is."""


def _copy_files(source: Path, target: Path) -> list[Path]:
    """The files that were copied, as seen from both folders."""
    files = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    for path in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, target / path)
    return files
