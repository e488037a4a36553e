"""``logs``: the log of a run, once or as it grows."""

from __future__ import annotations

import time

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.lines import printable
from ingestion.services.runlog import lines

FOLLOW_SECONDS = 1.0


def logs(cli: Cli, options: Options) -> None:
    """With --follow until the run has ended."""
    after = 0
    while True:
        found = lines.read(
            options["run"], after=after, level=options["level"] or "", text=options["text"] or ""
        )
        if cli.out.as_json:
            for line in found.lines:
                cli.out.data({"schema": 1, **lines.to_dict(line)}, in_one_line=True)
        else:
            cli.out.lines(printable(text) for text in lines.as_lines(found.lines, before=after))
        after = found.lines[-1].number if found.lines else after
        if found.has_ended or not options["follow"]:
            return
        time.sleep(FOLLOW_SECONDS)
