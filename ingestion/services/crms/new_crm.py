"""What a new CRM may be called, and where its files go in a project."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

# A tree for each kind, in the form of a project; ``manage.py startcrm`` renders it.
TEMPLATES = Path(__file__).parent / "crm_templates"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 24
# In a title these would end a string, a docstring or a cell of a table.
TITLE = re.compile(r"[^\W_][\w &+,.'()/-]{0,49}")
RESERVED = ("common", "http", "load", "raw", "recording")


class CannotStart(ValueError):
    """A folder cannot be made like this; the message is one sentence with the cure."""


@dataclass(frozen=True)
class NewCrm:
    """``kind``: a folder of templates. ``project``: the folder that ``manage.py`` stands in."""

    name: str
    title: str
    kind: str
    project: Path

    @property
    def template(self) -> Path:
        return TEMPLATES / self.kind

    @property
    def folder(self) -> Path:
        return self.project / "ingestion" / "sync" / self.name

    @property
    def has_sandbox(self) -> bool:
        """Whether the project has the optional app that serves CRMs with made-up data."""
        return (self.project / "sandbox" / "crms").is_dir()

    @property
    def in_sandbox(self) -> tuple[Path, Path]:
        """The module that is written there, and the package that it may grow into."""
        package = self.project / "sandbox" / "crms" / self.name
        return package.with_suffix(".py"), package


def kinds() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir()))


def title_of(name: str) -> str:
    """``acme_roofs`` is "Acme Roofs", unless somebody knows better."""
    return name.replace("_", " ").title()


def check(new: NewCrm) -> None:
    """Raises CannotStart."""
    _check_words(new)
    if not (new.folder.parent / "common").is_dir():
        raise CannotStart(f"{new.project} has no ingestion/sync; --dir must name the project.")
    taken = [path for path in (new.folder, *new.in_sandbox) if path.exists()]
    if taken:
        raise CannotStart(f"{taken[0]} exists; choose another name.")
    # sync_acme_leads_all would be both the command of a CRM and that of another one's model.
    if commands := sorted(_commands_dir(new).glob(f"sync_{new.name}_*.py")):
        raise CannotStart(f"The command {commands[0].stem} exists; choose another name.")


def _check_words(new: NewCrm) -> None:
    if new.name in RESERVED:
        raise CannotStart(f"{new.name} is reserved for what all CRMs share; choose another name.")
    is_word = bool(NAME.fullmatch(new.name)) and not keyword.iskeyword(new.name)
    if not is_word or len(new.name) > LONGEST_NAME:
        raise CannotStart(
            f"{new.name!r} cannot be the name of a CRM: it must be a Python identifier of lower-case "
            f"letters, digits and single underscores, {LONGEST_NAME} characters at most."
        )
    if not TITLE.fullmatch(new.title):
        raise CannotStart(
            f"{new.title!r} cannot be a title: it must begin with a letter or a digit and may hold "
            "letters, digits, spaces and & + , . ' ( ) / -, 50 characters at most."
        )


def _commands_dir(new: NewCrm) -> Path:
    return new.project / "ingestion" / "management" / "commands"
