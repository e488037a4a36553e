"""How sub-commands are added: the parser that refuses in one sentence, and the options they share."""

from __future__ import annotations

import json
from argparse import (
    SUPPRESS,
    ArgumentError,
    ArgumentParser,
    Namespace,
    _SubParsersAction,
)
from collections import UserDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import CommandError, CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.cli import Verb
from ingestion.management.cli.failures import Exit, Failure, WrongUse
from ingestion.services.tasks.bulk import PLACES
from ingestion.sync.common.errors import did_you_mean

if TYPE_CHECKING:
    _SubParsers = _SubParsersAction[ArgumentParser]
else:
    _SubParsers = _SubParsersAction


class SubParser(CommandParser):
    """Refuses in one sentence instead of a page of usage, as JSON under ``--json``."""

    _as_json = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        self._as_json = "--json" in (args or ())
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown words: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        if not self.called_from_command_line:
            raise CommandError(message, returncode=Exit.WRONG_USE)
        failure = Failure(WrongUse.code, f"{message}; see '{self.prog} --help'.", Exit.WRONG_USE)
        shown = json.dumps(failure.to_dict()) if self._as_json else f"Error: {failure.message}"
        self.exit(failure.exit, f"{shown}\n")


class AnyName(UserDict[str, ArgumentParser]):
    """Sub-parsers by name; argparse finds every name among them, so that its action is asked."""

    def __contains__(self, name: object) -> bool:
        return True


class NamedSubParsers(_SubParsers):
    """Says which sub-command was probably meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices = offered = AnyName()  # type: ignore[assignment]
        offered.data = self._name_parser_map

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        typed, known = str(values[0]), list(self._name_parser_map)
        if typed not in known:
            near = did_you_mean(typed, known)
            raise ArgumentError(
                None, f"no subcommand {typed!r}{near}; there are: {', '.join(known)}"
            )
        super().__call__(parser, namespace, values, option_string)


class Subcommands:
    """Adds sub-commands that know the base options too."""

    def __init__(self, parser: CommandParser) -> None:
        self._common = common_options()
        self._sub = parser.add_subparsers(
            dest="subcommand",
            metavar="COMMAND",
            required=True,
            parser_class=SubParser,
            action=NamedSubParsers,
        )

    def add(self, name: str, method: Verb, help: str) -> ArgumentParser:
        word = self._sub.add_parser(name, help=help, description=help, parents=[self._common])
        word.set_defaults(method=method)
        return word


def common_options() -> SubParser:
    """What may stand before and after the sub-command. Without a default, so that leaving it out
    after the sub-command does not undo what stood before it."""
    common = SubParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument(
        "--json", action="store_true", dest="as_json", help="Print one JSON object."
    )
    common.add_argument("--no-color", action="store_true", help="No colour.")
    common.add_argument("--force-color", action="store_true", help=SUPPRESS)
    common.add_argument("-v", "--verbosity", type=int, choices=range(4), help=SUPPRESS)
    common.add_argument("--settings", help=SUPPRESS)
    common.add_argument("--pythonpath", help=SUPPRESS)
    common.add_argument("--traceback", action="store_true", help=SUPPRESS)
    return common


def add_reason(word: ArgumentParser) -> None:
    word.add_argument("--reason", default="", metavar="TEXT", help="Why; kept in the audit record.")


def add_yes(word: ArgumentParser) -> None:
    word.add_argument("-y", "--yes", "--force", action="store_true", dest="yes", help="Do not ask.")


def add_agreement(word: ArgumentParser) -> None:
    """For what is done to all tasks that match a filter."""
    add_yes(word)
    word.add_argument(
        "--expected",
        type=options.count,
        metavar="N",
        help="Do it without asking if exactly N tasks match, else exit 4 and change nothing.",
    )


def add_filter(word: ArgumentParser) -> None:
    """Which tasks; all that is given must be true of a task."""
    word.add_argument("--crm", metavar="C", help="Only tasks of this CRM.")
    word.add_argument("--type", metavar="T", help="Only tasks of this sync type.")
    word.add_argument("--status", choices=PLACES, help="Only tasks that stand so.")
    word.add_argument(
        "--older-than",
        type=options.age_seconds,
        metavar="AGE",
        help="Only tasks that were submitted longer ago: 90m, 2h, 3d.",
    )
    word.add_argument("--by", metavar="NAME", help="Only tasks that NAME has submitted.")


def add_choice(word: ArgumentParser) -> None:
    """Beside IDs: what was seen of one, or which tasks are meant."""
    word.add_argument(
        "--revision",
        type=options.count,
        metavar="N",
        help="With one ID: only if the task is as it was seen, see 'explain --json'.",
    )
    add_filter(word)
    add_agreement(word)
    add_reason(word)
