"""The part of ``.env.example`` that lists the settings of every CRM, written from their folders."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

from ingestion.sync.common.source import Crm, Setting

FILE_NAME = ".env.example"
WIDTH = 100
MARK = "# --- CRMs: written by 'manage.py makecommands' from ingestion/sync/*/settings.py "
NOTE = (
    "`make up` serves a CRM by the sandbox, where it can, until one of its credentials is set here."
)


def with_crms(text: str, crms: Iterable[Crm]) -> str:
    """``text`` with its generated part made again."""
    written_by_hand = text.partition(MARK)[0]
    sections = [_section(crm) for crm in crms if crm.settings]
    return f"{written_by_hand}{MARK:-<{WIDTH}}\n\n# {NOTE}\n\n" + "\n".join(sections)


def is_stale(base_dir: Path, crms: Iterable[Crm]) -> bool:
    """Whether the file of a project's folder is there and tells something else."""
    path = base_dir / FILE_NAME
    return path.exists() and path.read_text() != with_crms(path.read_text(), crms)


def write(base_dir: Path, crms: Iterable[Crm]) -> None:
    """Bring it up to date."""
    path = base_dir / FILE_NAME
    path.write_text(with_crms(path.read_text(), crms))


def _section(crm: Crm) -> str:
    lines = "".join(_lines(setting) for setting in crm.settings)
    return f"# {crm.title}\n{lines}"


def _lines(setting: Setting) -> str:
    needed = " Needed." if setting.required else ""
    help_lines = textwrap.wrap(
        setting.help + needed, WIDTH, initial_indent="# ", subsequent_indent="# "
    )
    return "\n".join([*help_lines, f"#{setting.name}={setting.default}"]) + "\n"
