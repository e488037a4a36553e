"""``doctor``: what disagrees in the pool, and its cure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ingestion.management.pool_cli import lines
from ingestion.management.pool_cli.cli import COMMAND, Cli, Options
from ingestion.management.pool_cli.failures import Disagreements
from ingestion.services.doctor import Diagnosis, Finding


def doctor(cli: Cli, options: Options) -> None:
    """Show what disagrees; with --repair cure it and look again. Raises Disagreements for what is
    left."""
    found = left = cli.pool.examine()
    healed: tuple[Finding, ...] = ()
    if options["repair"] and found.findings:
        healed = cli.pool.heal(found.findings, actor=cli.actor, reason=options["reason"])
        left = cli.pool.examine()
    _show(cli, found, healed, left)
    if left.findings:
        raise Disagreements(_ending(left.findings, was_repaired=options["repair"]))


def _show(cli: Cli, found: Diagnosis, healed: Iterable[Finding], left: Diagnosis) -> None:
    if cli.out.as_json:
        cli.out.data(_shape(found, healed, left))
        return
    cli.out.lines(_lines(found, healed, left))
    for note in left.notes:
        cli.out.talk(f"Note: {lines.printable(note)}")


def _shape(found: Diagnosis, healed: Iterable[Finding], left: Diagnosis) -> dict[str, Any]:
    return {
        "schema": 1,
        **found.to_dict(),
        "healed": [finding.to_dict() for finding in healed],
        "left": [finding.to_dict() for finding in left.findings],
    }


def _lines(found: Diagnosis, healed: Iterable[Finding], left: Diagnosis) -> Iterator[str]:
    if not found.findings:
        yield "Slots, queue, ledger, workers and clocks agree."
    cured = set(healed)
    for finding in found.findings:
        yield f"- {finding.code}: {lines.printable(finding.sentence)}"
        yield f"  {_cure(finding, is_done=finding in cured)}"
    known = set(found.findings)
    yield from (f"- new: {lines.printable(f.sentence)}" for f in left.findings if f not in known)


def _cure(finding: Finding, *, is_done: bool) -> str:
    cure = lines.printable(finding.cure)
    if is_done:
        return f"Done: {cure}."
    return f"Cure: {cure}." + (" fix-stuck does this too." if finding.is_safe else "")


def _ending(left: tuple[Finding, ...], *, was_repaired: bool) -> str:
    count = f"{len(left)} disagreement{'' if len(left) == 1 else 's'}"
    if was_repaired:
        return f"{count} left after the repair; the log says why."
    return f"{count} found; '{COMMAND} doctor --repair' carries out the cures."
