"""Makes the folder of a new CRM, and its stand-in, from the templates beside this file."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "crm_templates"
SUFFIX = "-tpl"  # keeps tools that look for Python from reading templates
STAND_IN = "sandbox.py"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 24
# In a title these would end a string, a docstring or a cell of a table.
TITLE = re.compile(r"[^\W_][\w &+,.'()/-]{0,49}")
RESERVED = ("common",)
OWN_IMPORT = re.compile(r"^from ingestion\S* import (?:\([^)]*\)|[^\n(]+)\n", re.MULTILINE)
OWN_IMPORTS = re.compile(f"(?:{OWN_IMPORT.pattern})+", re.MULTILINE)


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
    def folder(self) -> Path:
        return self.project / "ingestion" / "sync" / self.name

    @property
    def stand_in(self) -> Path:
        return self.project / "ingestion" / "sandbox" / f"{self.name}.py"


def kinds() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir()))


def title_of(name: str) -> str:
    """``acme_roofs`` is "Acme Roofs", unless somebody knows better."""
    return name.replace("_", " ").title()


def make(new: NewCrm) -> list[Path]:
    """The files that were written. Raises CannotStart before anything is."""
    _check(new)
    texts = dict(_texts(new))
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _check(new: NewCrm) -> None:
    _check_words(new)
    if not (new.folder.parent / "common").is_dir():
        raise CannotStart(f"{new.project} has no ingestion/sync; --dir must name the project.")
    taken = [path for path in _places(new) if path.exists()]
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


def _places(new: NewCrm) -> tuple[Path, ...]:
    """A stand-in may be a module or a package."""
    return (new.folder, new.stand_in, new.stand_in.with_suffix(""))


def _commands_dir(new: NewCrm) -> Path:
    return new.project / "ingestion" / "management" / "commands"


def _texts(new: NewCrm) -> Iterator[tuple[Path, str]]:
    """Every file with its text."""
    templates = TEMPLATES / new.kind
    words = {
        "name": new.name,
        "NAME": new.name.upper(),
        "Name": "".join(part.capitalize() for part in new.name.split("_")),
        "title": new.title,
    }
    for path in sorted(templates.rglob(f"*{SUFFIX}")):
        place = str(path.relative_to(templates)).removesuffix(SUFFIX).replace("NAME", new.name)
        text = Template(path.read_text(encoding="utf-8")).substitute(words)
        yield new.stand_in if place == STAND_IN else new.folder / place, _sorted_imports(text)


def _sorted_imports(text: str) -> str:
    """Where the new modules stand among our others depends on the CRM's name."""

    def in_order(block: re.Match[str]) -> str:
        statements = OWN_IMPORT.findall(block.group())
        return "".join(sorted(statements, key=lambda statement: str(statement).split()[1]))

    return OWN_IMPORTS.sub(in_order, text)
