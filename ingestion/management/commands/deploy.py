"""``manage.py deploy``: tables, static files, groups, the first account; as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.run import run
from ingestion.services.deployment.deploying import Deployed, deploy
from ingestion.services.scheduling.standard import SETS


class Command(BaseCommand):
    help = (
        "Prepare this installation, or bring it to this version: run migrations, collect static "
        "files, make the groups and, where nobody can administer the site, the account 'operator'. "
        "May be repeated, and be run by several at once. Then see: manage.py deploy_check"
    )
    requires_system_checks: list[str] = []  # some of them need the tables

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument(
            "--schedules",
            choices=sorted(SETS),
            default="",
            help="add the schedules of this set that are missing",
        )
        parser.add_argument("--no-login", action="store_true", help="make no account")

    def handle(self, *args: object, **options: object) -> None:
        run(self, {**options, "method": carry_out})


def carry_out(cli: Cli, options: Options) -> None:
    done = deploy(
        schedule_set=options["schedules"],
        makes_login=not options["no_login"],
        say=cli.out.talk,
        change=cli.change(options),
    )
    if cli.out.as_json:
        cli.out.data(
            {
                "schema": 1,
                "migrations": list(done.migrations),
                "static_files": done.collected,
                "groups": list(done.groups),
                "login_file": str(done.login.path) if done.login and done.login.path else None,
                "login_is_new": bool(done.login and done.login.is_new),
                "schedules_added": done.schedules,
            }
        )
    else:
        cli.out.lines(_lines(done))


def _lines(done: Deployed) -> Iterator[str]:
    yield f"database: {len(done.migrations) or 'no'} migrations to run"
    yield f"static files: {done.collected or 'none'} to collect"
    yield f"groups: {', '.join(done.groups)}"
    if done.login and done.login.is_new:
        yield f"login: {done.login.user}, its password is in {done.login.path}"
    elif done.login:
        yield "login: there is an administrator"
    if done.schedules:
        yield f"schedules: {done.schedules} added"
