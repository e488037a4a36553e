"""``breaker``: which CRMs are left in peace; and opening and closing by hand."""

from __future__ import annotations

from typing import Any

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import WrongUse
from ingestion.management.cli.lines import printable
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.services.breakers import breaker


def add(words: Subcommands) -> None:
    """The sub-command of this module."""
    word = words.add("breaker", show, "Show the breakers of the CRMs; open or close one by hand.")
    word.add_argument("crm", nargs="?", default="", metavar="CRM")
    switch = word.add_mutually_exclusive_group()
    switch.add_argument("--open", action="store_true", help="Start nothing of it until --close.")
    switch.add_argument("--close", action="store_true", help="Let its syncs start again now.")
    add_reason(word)


def show(cli: Cli, options: Options) -> None:
    if (options["open"] or options["close"]) and not options["crm"]:
        raise WrongUse("Say which CRM, e.g. breaker hubspot --close.")
    if options["open"]:
        breaker.open_by_hand(cli.pool, options["crm"], change=cli.change(options))
    elif options["close"]:
        breaker.close_by_hand(cli.pool, options["crm"], change=cli.change(options))
    found = [one for one in breaker.listed() if options["crm"] in ("", one["crm_source"])]
    if cli.out.as_json:
        cli.out.data({"schema": 1, "breakers": found})
    else:
        cli.out.lines(map(_line, found))


def _line(found: dict[str, Any]) -> str:
    until = f", one run tries after {found['probe_at']}" if found["probe_at"] else ""
    why = f": {printable(said)}{until}" if (said := found["sentence"] or found["warning"]) else ""
    return f"{found['crm_source']}: {found['state']}{why}"
