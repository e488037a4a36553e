"""The words of ``manage_notices`` and what they do."""

from __future__ import annotations

from argparse import SUPPRESS

from django.core.management.base import CommandParser

from ingestion.management.cli import options as words
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import CliError, WrongUse
from ingestion.management.cli.lines import printable, stamp
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.models import Delivery, Trouble
from ingestion.models.notices import NoticeLevel
from ingestion.services.notices import channels, deliveries, rounds
from ingestion.services.security import audit

SETTABLE = ("enabled", "level", "quiet_from", "quiet_until", "timezone")


class NotTaken(CliError):
    """A channel did not take the test."""

    code = "NOT_TAKEN"


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
    found.add("list", list_, "Show what is wrong now, and the channels.")
    word = found.add("log", log, "Show what became of the last messages.")
    word.add_argument("--limit", type=words.shown_tasks, default=50, metavar="N")
    word = found.add("test", test, "Send a message to a channel, or to all of them.")
    word.add_argument("channel", nargs="?", default="", metavar="CHANNEL")
    found.add("look", look, "Look for troubles now, and tell whoever is to be told.")
    word = found.add("set", set_, "Say what a channel is told, and when not.")
    word.add_argument("channel", metavar="CHANNEL")
    word.add_argument("--level", choices=NoticeLevel.values, help="From this level on.")
    word.add_argument("--quiet-from", metavar="22:00")
    word.add_argument("--quiet-until", metavar="07:00", help="An empty text for none.")
    word.add_argument("--timezone", metavar="ZONE")
    switch = word.add_mutually_exclusive_group()
    switch.add_argument("--on", dest="enabled", action="store_true", default=None)
    switch.add_argument("--off", dest="enabled", action="store_false", default=None)
    add_reason(word)


def list_(cli: Cli, options: Options) -> None:
    troubles = list(Trouble.objects.filter(ended_at=None))
    found = channels.channels()
    if cli.out.as_json:
        shown = [_to_dict(one) for one in troubles]
        listed = [one.to_dict() for one in found]
        cli.out.data({"schema": 1, "open": shown, "channels": listed})
        return
    for one in troubles:
        cli.out.line(f"{one.level} since {stamp(one.began_at)}: {printable(one.sentence)}")
    cli.out.lines([] if troubles else ["Nothing is wrong as far as anybody has looked."])
    cli.out.lines(map(_channel_line, found) if found else ["NOTICE_CHANNELS names no channel."])


def log(cli: Cli, options: Options) -> None:
    found = list(deliveries.log(limit=options["limit"]))
    if cli.out.as_json:
        cli.out.data({"schema": 1, "deliveries": [_delivery(one) for one in found]})
        return
    cli.out.lines([_delivery_line(one) for one in found] or ["Nothing was sent yet."])


def test(cli: Cli, options: Options) -> None:
    """Fails unless every channel takes it."""
    names = [options["channel"]] if options["channel"] else [c.name for c in channels.channels()]
    if not names:
        raise WrongUse("NOTICE_CHANNELS names no channel to test.")
    made = [deliveries.send_test(name) for name in names]
    for one in made:
        audit.record("notice_test", target=f"channel {one.channel}", after={"state": one.state})
    if cli.out.as_json:
        cli.out.data({"schema": 1, "deliveries": [_delivery(one) for one in made]})
    else:
        cli.out.lines(map(_delivery_line, made))
    if failed := [one.channel for one in made if one.state != Delivery.State.SENT]:
        raise NotTaken(f"{', '.join(failed)} did not take it.")


def look(cli: Cli, options: Options) -> None:
    done = rounds.look(cli.pool)
    if cli.out.as_json:
        shown = {"began": done.began, "ended": done.ended, "sent": done.sent}
        cli.out.data({"schema": 1, **shown})
    else:
        cli.out.line(f"{done.began} began, {done.ended} over, {done.sent} messages sent")


def set_(cli: Cli, options: Options) -> None:
    fields = {name: options[name] for name in SETTABLE if options.get(name) is not None}
    if not fields:
        raise WrongUse("Say what to set, e.g. --level error or --quiet-from 22:00.")
    after = channels.set_channel(options["channel"], fields, change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, **after.to_dict()})
    else:
        cli.out.line(_channel_line(after))


def _channel_line(found: channels.Channel) -> str:
    shown = found.to_dict()
    quiet = (
        f", quiet {shown['quiet_from']} to {shown['quiet_until']} {found.timezone}"
        if found.quiet_from
        else ""
    )
    state = f"from {found.level} on" if found.enabled else "off"
    return f"channel {found.name} ({found.service}): {state}{quiet}"


def _delivery_line(found: Delivery) -> str:
    error = f": {printable(found.error)}" if found.error else ""
    return (
        f"{stamp(found.made_at)} {found.channel} {found.state} after {found.attempts}: "
        f"{printable(found.title)}{error}"
    )


def _to_dict(found: Trouble) -> dict[str, object]:
    names = ("kind", "subject", "level", "sentence", "path", "count")
    began = {"began_at": found.began_at.isoformat()}
    return {**{name: getattr(found, name) for name in names}, **began}


def _delivery(found: Delivery) -> dict[str, object]:
    names = ("channel", "title", "state", "attempts", "error")
    made = {"made_at": found.made_at.isoformat()}
    return {**{name: getattr(found, name) for name in names}, **made}
