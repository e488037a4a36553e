"""``doctor``: what disagrees in the pool, and its repair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ingestion.deprecated_names import with_old_keys
from ingestion.management.cli import lines
from ingestion.management.cli.cli import COMMAND, Cli, Options
from ingestion.management.cli.failures import Disagreements
from ingestion.services.doctor.diagnosis import Diagnosis, Finding


def doctor(cli: Cli, options: Options) -> None:
    """Show what disagrees; with --repair repair it and look again. Raises Disagreements for what is
    left."""
    found = left = cli.pool.examine()
    repaired: tuple[Finding, ...] = ()
    if options["repair"] and found.findings:
        repaired = cli.pool.repair(found.findings, change=cli.change(options))
        left = cli.pool.examine()
    _show(cli, found, repaired, left)
    if left.findings:
        raise Disagreements(_ending(left.findings, was_repaired=options["repair"]))


def _show(cli: Cli, found: Diagnosis, repaired: Iterable[Finding], left: Diagnosis) -> None:
    if cli.out.as_json:
        cli.out.data(_shape(found, repaired, left))
        return
    cli.out.lines(_lines(found, repaired, left))
    for note in left.notes:
        cli.out.talk(f"Note: {lines.printable(note)}")


def _shape(found: Diagnosis, repaired: Iterable[Finding], left: Diagnosis) -> dict[str, Any]:
    return with_old_keys(
        {
            "schema": 1,
            **found.to_dict(),
            "repaired": [finding.to_dict() for finding in repaired],
            "left": [finding.to_dict() for finding in left.findings],
        }
    )


def _lines(found: Diagnosis, repaired: Iterable[Finding], left: Diagnosis) -> Iterator[str]:
    if not found.findings:
        yield "Slots, queue, ledger, workers and clocks agree."
    done = set(repaired)
    for finding in found.findings:
        yield f"- {finding.code}: {lines.printable(finding.sentence)}"
        yield f"  {_repair(finding, is_done=finding in done)}"
    known = set(found.findings)
    yield from (f"- new: {lines.printable(f.sentence)}" for f in left.findings if f not in known)


def _repair(finding: Finding, *, is_done: bool) -> str:
    repair = lines.printable(finding.repair)
    if is_done:
        return f"Done: {repair}."
    return f"Repair: {repair}." + (" fix-stuck does this too." if finding.is_safe else "")


def _ending(left: tuple[Finding, ...], *, was_repaired: bool) -> str:
    count = f"{len(left)} disagreement{'' if len(left) == 1 else 's'}"
    if was_repaired:
        return f"{count} left after the repair; the log says why."
    return f"{count} found; '{COMMAND} doctor --repair' carries out the repairs."
