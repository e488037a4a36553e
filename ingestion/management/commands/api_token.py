"""``manage.py api_token create|list|revoke``: tokens of programs that call the API."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ingestion.management.cli.cli import actor
from ingestion.management.cli.subcommands import NamedSubParsers
from ingestion.models import ApiToken
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.security import api_tokens

LONGEST_DAYS = 3650


class Command(BaseCommand):
    help = "Make, list and revoke the tokens of programs that call the API."

    def add_arguments(self, parser: CommandParser) -> None:
        words = parser.add_subparsers(
            dest="subcommand", metavar="COMMAND", required=True, action=NamedSubParsers
        )
        create = words.add_parser("create", help="Make a token and print it, this one time.")
        create.add_argument("name")
        create.add_argument("--scope", choices=list(api_tokens.SCOPES), default="read")
        create.add_argument("--days", type=int, default=90, help="Days it is valid; 0: for ever.")
        create.set_defaults(method=self.create)
        listing = words.add_parser("list", help="Show every token, without the token itself.")
        listing.add_argument("--json", action="store_true", dest="as_json")
        listing.set_defaults(method=self.list)
        revoke = words.add_parser("revoke", help="Let a token open nothing any more.")
        revoke.add_argument("name")
        revoke.add_argument("--reason", default="")
        revoke.set_defaults(method=self.revoke)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            options["method"](options)
        except PoolError as problem:
            raise CommandError(str(problem)) from problem

    def create(self, options: dict[str, Any]) -> None:
        made = api_tokens.create(
            options["name"],
            scope=options["scope"],
            expires_at=_end(options["days"]),
            change=ChangeRequest(by=actor()),
        )
        self.stdout.write(made.secret)
        self.stderr.write(f"{_line(made.token)}. It is not shown again.")

    def list(self, options: dict[str, Any]) -> None:
        tokens = ApiToken.objects.all()
        if options["as_json"]:
            found = {"schema": 1, "tokens": [_shape(token) for token in tokens]}
            self.stdout.write(json.dumps(found))
            return
        for token in tokens:
            self.stdout.write(_line(token))

    def revoke(self, options: dict[str, Any]) -> None:
        token = api_tokens.revoke(
            options["name"], change=ChangeRequest(by=actor(), reason=options["reason"])
        )
        self.stdout.write(_line(token))


def _end(days: int) -> datetime | None:
    if not 0 <= days <= LONGEST_DAYS:
        raise CommandError(f"--days must be from 0 to {LONGEST_DAYS}.", returncode=2)
    return timezone.now() + timedelta(days=days) if days else None


def _line(token: ApiToken) -> str:
    end = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "for ever"
    used = f"last used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "unused"
    state = api_tokens.state_of(token)
    return f"{token.name}: {token.scope}, {token.hint}…, {state}, valid {end}, {used}"


def _shape(token: ApiToken) -> dict[str, Any]:
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "name": token.name,
        "scope": token.scope,
        "hint": token.hint,
        "state": api_tokens.state_of(token),
        "created_by": token.created_by,
        **{name: at.isoformat() if (at := getattr(token, name)) else None for name in times},
    }
