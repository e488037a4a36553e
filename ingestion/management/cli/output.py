"""Where a sub-command writes: data to stdout, talk to stderr, secrets nowhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO, cast

from rich.console import Console, RenderableType

from ingestion.management.cli.failures import CliError, Failure, WrongUse
from ingestion.services.security.secrets import mask, mask_json


class Masked:
    """A stream that masks the texts written to it. What the pool keeps is masked already; an
    error, or what an older version stored, may not be."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(mask(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Output:
    """Tables and colour on a terminal, plain lines on a pipe, JSON when asked.

    rich itself honours NO_COLOR and TERM=dumb; whether stdout is a terminal is decided here, so
    that an inherited FORCE_COLOR puts no box characters into a pipe.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        as_json: bool = False,
        no_color: bool = False,
        force_color: bool = False,
    ) -> None:
        self.as_json = as_json
        self.console = _console(stdout, no_color=no_color, force_color=force_color)
        self._stdout = stdout
        self._stderr = _console(stderr, no_color=no_color, force_color=force_color)

    @property
    def draws_tables(self) -> bool:
        return self.console.is_terminal and not self.console.is_dumb_terminal

    @property
    def talks_to_a_person(self) -> bool:
        """Whether stderr is a terminal on which a line can be redrawn."""
        return self._stderr.is_terminal and not self._stderr.is_dumb_terminal

    @property
    def talk_console(self) -> Console:
        return self._stderr

    def data(self, shape: Mapping[str, Any], *, in_one_line: bool = False) -> None:
        """One JSON object."""
        self._write(json.dumps(mask_json(shape), indent=None if in_one_line else 2))

    def line(self, text: str) -> None:
        self._write(mask(text))

    def _write(self, text: str) -> None:
        self._stdout.write(f"{text}\n")
        self._stdout.flush()

    def lines(self, texts: Iterable[str]) -> None:
        self.line("\n".join(texts))

    def draw(self, *parts: RenderableType) -> None:
        for part in parts:
            self.console.print(part)

    def talk(self, text: str, *, style: str | None = None) -> None:
        self._stderr.print(text, style=style, soft_wrap=True)

    def fail(self, failure: Failure) -> None:
        """In one line, so that a program finds the JSON form as the last line of stderr."""
        if self.as_json:
            self._stderr.print(json.dumps(failure.to_dict()), soft_wrap=True)
        else:
            self.talk(f"Error: {failure.message}", style="red")

    @property
    def can_ask(self) -> bool:
        """Somebody sits at the terminal."""
        return sys.stdin.isatty()

    def confirm(self, question: str, *, flag: str, can_be_undone: bool = False) -> None:
        """Ask on a terminal. Raises WrongUse where nobody can answer, CliError on a no."""
        if not self.can_ask:
            raise WrongUse(f"{question} Nobody can be asked here: add {flag} to say yes.")
        warning = "" if can_be_undone else " There is no undo."
        self._stderr.print(f"{question}{warning} [y/N] ", end="", soft_wrap=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CliError("Nothing was changed.")


def _console(stream: TextIO, *, no_color: bool, force_color: bool) -> Console:
    return Console(
        file=cast("TextIO", Masked(stream)),
        no_color=True if no_color else None,
        force_terminal=force_color or stream.isatty(),
        markup=False,
        highlight=False,
        emoji=False,
    )
