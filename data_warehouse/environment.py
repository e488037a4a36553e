"""Where settings come from: the environment, then ``.env``, then the running system's run file.

``manage.py up`` writes the run file (``ingestion.runfile``), so that every other command typed in
the same clone finds the Redis server and the sandbox that it started.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar

from decouple import Csv, RepositoryEnv, strtobool
from django.core.exceptions import ImproperlyConfigured

from ingestion import runfile

Choice = TypeVar("Choice", bound=str)
BASE_DIR = Path(__file__).resolve().parent.parent


NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
FILE_SUFFIX = "_FILE"


class SettingsProblems(ImproperlyConfigured):
    """Everything that is wrong with the settings, a line each with its cure."""


def _read_dotenv(path: Path) -> dict[str, str]:
    return dict(RepositoryEnv(str(path)).data) if path.is_file() else {}


def _value(name: str, source: Mapping[str, str]) -> str:
    found, file = source.get(name) or "", source.get(f"{name}{FILE_SUFFIX}") or ""
    if found and file:
        raise SettingsProblems(f"{name} and {name}{FILE_SUFFIX} are both set; set one of them.")
    return found or (_read_secret(name, Path(file)) if file else "")


def _read_secret(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise SettingsProblems(
            f"{name}{FILE_SUFFIX} leads to {file}, which cannot be read: {why}."
        ) from problem


class Environment(Mapping[str, str]):
    """All settings by name, read-only. The first source that has a value wins; an empty value
    counts as none, so that a copy of ``.env.example`` may leave lines open. In place of any name
    ``<NAME>_FILE`` may lead to a file that holds its value, as secrets of containers and of systemd
    do."""

    def __init__(self, base_dir: Path = BASE_DIR) -> None:
        self.dotenv_file = Path(os.environ.get("DOTENV_FILE") or base_dir / ".env")
        self.dotenv: Mapping[str, str] = _read_dotenv(self.dotenv_file)
        self.var_dir = Path(self.configured("VAR_DIR") or base_dir / "var")
        running = runfile.read_running(self.var_dir)
        self._running = running.settings if running else {}

    def configured(self, name: str) -> str:
        """The value that the operator set, in the environment or ``.env``, or in the file that one
        of them names; empty for none. Raises SettingsProblems for a file that cannot be read."""
        for source in (os.environ, self.dotenv):
            if found := _value(name, source):
                return found
        return ""

    def __getitem__(self, name: str) -> str:
        value = self.configured(name) or self._running.get(name)
        if not value:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        given = {*os.environ, *self.dotenv}
        of_files = {n.removesuffix(FILE_SUFFIX) for n in given if n.endswith(FILE_SUFFIX)}
        # A file that leads nowhere is told by whoever asks for its value.
        return (name for name in {*given, *of_files, *self._running} if self._has(name))

    def _has(self, name: str) -> bool:
        try:
            return name in self
        except SettingsProblems:
            return False

    def __len__(self) -> int:
        return len(list(iter(self)))

    def source_of(self, name: str) -> str:
        """Where the value of ``name`` comes from, in words."""
        for where, source in (("environment", os.environ), (".env", self.dotenv)):
            if source.get(name) or source.get(f"{name}{FILE_SUFFIX}"):
                return where
        return "running system" if name in self else "default"


class Settings:
    """Reads settings by name. ``defaults`` holds every name that was asked for, with its default;
    ``problems`` all that was wrong. A wrong value gives the default, until ``stop_if_wrong``."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.defaults: dict[str, Any] = {}
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return str(self._read(name, default, str, "text"))

    def words(self, name: str, default: str = "") -> list[str]:
        """Words between commas."""
        return list(self._read(name, Csv()(default), Csv(), "words between commas"))

    def named(self, name: str) -> dict[str, str]:
        """Words between commas, each with a name: ``ops=slack://...``."""
        found: dict[str, str] = {}
        for number, word in enumerate(self.words(name), start=1):
            key, is_named, value = word.partition("=")
            if is_named and NAME.fullmatch(key.strip()) and value.strip():
                found[key.strip()] = value.strip()
            else:  # what is wrong may hold a secret
                self.problems.append(f"{name}: entry {number} must be NAME=ADDRESS.")
        return found

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Networks or single addresses between commas."""
        found = []
        for word in self.words(name):
            try:
                found.append(ip_network(word, strict=False))
            except ValueError:
                self.problems.append(f"{name} holds {word!r}; write a network as 10.0.0.0/8.")
        return found

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._read(name, default, strtobool, "true or false"))

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value in allowed:
            return value
        self.problems.append(f"{name} is {value!r}; it must be {' or '.join(allowed)}.")
        return default

    def choices(self, name: str, default: Choice, allowed: tuple[Choice, ...]) -> dict[str, Choice]:
        """One of ``allowed`` for all, under "", and for some their own: ``ask,genius:freeze``."""
        known = {str(choice): choice for choice in allowed}
        found = {"": default}
        for word in self.words(name, default):
            subject, _, value = word.rpartition(":")
            if value in known:
                found[subject.strip()] = known[value]
            else:
                self.problems.append(f"{name} holds {word!r}; it must be {' or '.join(allowed)}.")
        return found

    def number(
        self, name: str, default: float, *, minimum: float, maximum: float = math.inf
    ) -> float:
        value = self._read(name, default, float, "a number")
        return float(self._in_range(name, value, default, minimum, maximum))

    def whole(self, name: str, default: int, *, minimum: int, maximum: float = math.inf) -> int:
        value = self._read(name, default, int, "a whole number")
        return int(self._in_range(name, value, default, minimum, maximum))

    def stop_if_wrong(self) -> None:
        """Raises SettingsProblems that names all of them."""
        if self.problems:
            lines = "\n".join(f"  - {problem}" for problem in self.problems)
            raise SettingsProblems(f"The settings are wrong (.env.example explains each):\n{lines}")

    def _read(self, name: str, default: Any, cast: Callable[[str], Any], what: str) -> Any:
        self.defaults[name] = default
        try:
            value = self._environment.get(name)
        except SettingsProblems as problem:
            self.problems.append(str(problem))
            return default
        try:
            return default if value is None else cast(value)
        except ValueError:
            self.problems.append(f"{name} is {value!r}; it must be {what}.")
            return default

    def _in_range(
        self, name: str, value: float, default: float, minimum: float, maximum: float
    ) -> float:
        if minimum <= value <= maximum and math.isfinite(value):
            return value
        most = "" if maximum == math.inf else f" and at most {maximum:g}"
        self.problems.append(f"{name} is {value:g}; it must be at least {minimum:g}{most}.")
        return default


environment = Environment()
