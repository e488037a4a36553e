"""What each subcommand of ``manage_data`` does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import WrongUse
from ingestion.management.data_cli.output import size, table
from ingestion.services.data import catalog, profiles, rows
from ingestion.services.data import changes as changed
from ingestion.services.data.errors import UnknownDataset
from ingestion.services.data.rows import Question
from ingestion.services.data.sources import sources_yml
from ingestion.services.data.sql import box, setup
from ingestion.services.security import audit

# What was loaded since it was counted is counted first, for so long.
COUNT_SECONDS = 20.0


def list_datasets(cli: Cli, options: Options) -> None:
    profiles.refresh(seconds=COUNT_SECONDS, crm_source=options["crm"])
    found = catalog.catalog(options["crm"])
    if not found:
        raise UnknownDataset(f"There is no CRM {options['crm']!r}.")
    if cli.out.as_json:
        cli.out.data({"schema": 1, "datasets": found})
        return
    names = ("dataset", "rows", "deleted", "size", "last load", "freshness")
    table(cli.out, names, [_entry(one) for one in found], numbers={"rows", "deleted", "size"})


def _entry(one: Mapping[str, Any]) -> list[str]:
    return [
        f"{one['crm_source']}.{one['model']}",
        _number(one["rows"]),
        _number(one["deleted_rows"]),
        size(one["size_bytes"]),
        (one["last_success_at"] or "-")[:16].replace("T", " "),
        one["freshness"].replace("_", " "),
    ]


def show(cli: Cli, options: Options) -> None:
    profiles.refresh(seconds=COUNT_SECONDS, crm_source=options["crm"])
    found = catalog.dataset(options["crm"], options["model"])
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found})
        return
    deleted = _number(found["deleted_rows"])
    cli.out.line(f"{found['table']}: {_number(found['rows'])} rows, {deleted} deleted")
    names = ("column", "type", "field", "filled", "distinct", "mask")
    table(cli.out, names, map(_column, found["columns"]), numbers={"filled", "distinct"})


def _column(one: Mapping[str, Any]) -> list[str]:
    filled = "-" if one["filled"] is None else f"{one['filled']:.1%}"
    key = " (key)" if one["is_key"] else ""
    mask = "" if one["mask"] == "none" else one["mask"]
    field = one["field"] or "-"
    return [one["name"] + key, one["type"], field, filled, _number(one["distinct"]), mask]


def head(cli: Cli, options: Options) -> None:
    found = rows.rows(_question(options))
    wanted = [name.strip() for name in options["columns"].split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in found.types]:
        raise WrongUse(f"{found.model} has no column {unknown[0]!r}.")
    _record_personal(cli, options)
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
        return
    names = wanted or list(found.types)
    table(cli.out, names, [_row(row, names, found.masked) for row in found.rows])
    if found.next_cursor:
        cli.out.talk(f"More rows: --cursor {found.next_cursor}")


def _record_personal(cli: Cli, options: Options) -> None:
    if options["personal"]:
        target = f"{options['crm']}.{options['model']}"
        audit.record("read_personal_data", change=cli.change(options), target=target)


def changes(cli: Cli, options: Options) -> None:
    found = changed.changes(options["crm"], options["model"], personal=options["personal"])
    _record_personal(cli, options)
    if cli.out.as_json:
        cli.out.data({"schema": 1, "changes": found})
        return
    names = ("run", "ended", "created", "updated", "deleted", "examples")
    lines = [_change(one) for one in found]
    table(cli.out, names, lines, numbers={"created", "updated", "deleted"})


def _change(one: Mapping[str, Any]) -> list[str]:
    counts = [_number(one[name]) for name in ("created", "updated", "deleted")]
    examples = "; ".join(
        ("deleted " if e["is_deleted"] else "")
        + ", ".join(f"{name} {value}" for name, value in e["values"].items() if value is not None)
        for e in one["examples"]
    )
    ended = one["ended_at"][:16].replace("T", " ")
    return [str(one["history_id"]), ended, *counts, examples]


def sources(cli: Cli, options: Options) -> None:
    cli.out.line(sources_yml())


def ask(cli: Cli, options: Options) -> None:
    text = sys.stdin.read() if options["sql"] == "-" else options["sql"]
    found = box.ask(
        box.Query(options["crm"], text, options["personal"]), change=cli.change(options)
    )
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
        return
    table(
        cli.out, found.columns, [["" if v is None else str(v) for v in row] for row in found.rows]
    )
    if found.is_cut:
        cli.out.talk(f"There are more rows than {len(found.rows)}.")


def sql_roles(cli: Cli, options: Options) -> None:
    if options["prints"]:
        cli.out.lines(f"{one};" for one in setup.role_statements())
        return
    made = setup.make_roles()
    audit.record("make_sql_roles", change=cli.change(options), after={"statements": len(made)})
    cli.out.line("The roles are there; questions in SQL are answered.")


def _question(options: Options) -> Question:
    return Question(
        options["crm"],
        options["model"],
        tuple(options["filter"]),
        options["sort"].removeprefix("-"),
        options["sort"].startswith("-"),
        options["deleted"],
        options["cursor"],
        options["limit"],
        options["personal"],
    )


def _row(row: Mapping[str, Any], names: Sequence[str], masked: Mapping[str, str]) -> list[str]:
    return ["masked" if n in masked else "" if row[n] is None else str(row[n]) for n in names]


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
