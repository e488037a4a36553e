"""The words of ``manage_automation`` and what they do."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser

from django.core.management.base import CommandParser

from ingestion.management.cli import options as words
from ingestion.management.cli.cli import Cli, Options, Verb
from ingestion.management.cli.failures import WrongUse
from ingestion.management.cli.lines import printable, stamp
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.models import RuleAct
from ingestion.models.automation import Level
from ingestion.services.automation import engine


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
    found.add("rules", rules, "Show the rules and how they are set.")
    found.add("run", run, "Let the rules judge now, and act where they may.")
    word = found.add("acts", acts, "Show what the rules found, the latest first.")
    word.add_argument("--open", action="store_true", help="Only what waits for a yes.")
    word.add_argument("--limit", type=words.shown_tasks, default=50, metavar="N")
    _decision(found, "approve", approve, "Do what a rule asked for.")
    _decision(found, "dismiss", dismiss, "Do not do it.")
    _add_set(found)


def _decision(found: Subcommands, name: str, verb: Verb, help: str) -> None:
    word = found.add(name, verb, help)
    word.add_argument("act", type=words.whole_number, metavar="ID")
    add_reason(word)


def _add_set(found: Subcommands) -> None:
    word: ArgumentParser = found.add("set", set_, "Set a rule, for one CRM or for all.")
    word.add_argument("rule", metavar="RULE")
    word.add_argument("--crm", default="", help="Only for this CRM.")
    word.add_argument("--level", choices=Level.values)
    switch = word.add_mutually_exclusive_group()
    switch.add_argument("--on", dest="enabled", action="store_true", default=None)
    switch.add_argument("--off", dest="enabled", action="store_false", default=None)
    word.add_argument("--cooldown-minutes", type=words.shown_tasks, metavar="N")
    word.add_argument("--hourly-limit", type=words.shown_tasks, metavar="N")
    add_reason(word)


def rules(cli: Cli, options: Options) -> None:
    found = list(engine.settings_in_force())
    if cli.out.as_json:
        cli.out.data({"schema": 1, "rules": found})
        return
    for rule in found:
        state = rule["level"] if rule["enabled"] else "off"
        own = "".join(
            f"; {crm}: {how['level'] if how['enabled'] else 'off'}"
            for crm, how in rule["crms"].items()
        )
        cli.out.line(
            f"{rule['rule']}: {state}{own}; {rule['does']}; at most {rule['hourly_limit']} an "
            f"hour, every {rule['cooldown_minutes']} minutes for one subject"
        )


def run(cli: Cli, options: Options) -> None:
    _show(cli, engine.run_rules(cli.pool), nothing="The rules found nothing.")


def acts(cli: Cli, options: Options) -> None:
    found = RuleAct.objects.all()
    if options["open"]:
        found = found.filter(outcome=RuleAct.Outcome.PROPOSED)
    _show(cli, list(found[: options["limit"]]), nothing="There is nothing to show.")


def approve(cli: Cli, options: Options) -> None:
    act = engine.approve(options["act"], cli.pool, change=cli.change(options))
    _show(cli, [act])


def dismiss(cli: Cli, options: Options) -> None:
    _show(cli, [engine.dismiss(options["act"], change=cli.change(options))])


def set_(cli: Cli, options: Options) -> None:
    changes = {n: options[n] for n in engine.SETTABLE if options.get(n) is not None}
    if not changes:
        raise WrongUse("Say what to set, e.g. --level ask or --off.")
    after = engine.set_rule(
        options["rule"],
        changes,
        crm_source=options["crm"],
        change=cli.change(options),
    )
    shape = {"schema": 1, "rule": options["rule"], "crm_source": options["crm"], **after.to_dict()}
    if cli.out.as_json:
        cli.out.data(shape)
    else:
        cli.out.lines(f"{name}: {value}" for name, value in after.to_dict().items())


def _show(cli: Cli, found: list[RuleAct], *, nothing: str = "") -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "acts": [engine.to_dict(act) for act in found]})
    else:
        cli.out.lines([_line(act) for act in found] or [nothing])


def _line(act: RuleAct) -> str:
    return f"{act.pk} {stamp(act.at)} {act.rule} ({act.outcome}): {printable(act.sentence)}"
