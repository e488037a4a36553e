"""A second host on this machine: a network namespace with one cable to it, which can be cut.

Needs root, Linux and iproute2.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress


class NoNamespace(Exception):
    """This machine allows none."""


class Namespace:
    """``host`` is this machine's address as seen from there. What runs with ``prefix`` runs there."""

    def __init__(self, number: int | None = None) -> None:
        """``number``: 1 to 250, another one for each at a time."""
        number = number or os.getpid() % 250 + 1
        self.name = f"chaos{number}"
        self.host = f"10.213.{number}.1"
        self.is_cut = False
        self.prefix = ("ip", "netns", "exec", self.name)
        self._here, self._there = f"chaosa{number}", f"chaosb{number}"
        self.guest = f"10.213.{number}.2"

    def make(self) -> None:
        """Raises NoNamespace with the reason."""
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there)
            _ip("link", "set", self._there, "netns", self.name)
            _ip("address", "add", f"{self.host}/24", "dev", self._here)
            _ip("link", "set", self._here, "up")
            self._inside("address", "add", f"{self.guest}/24", "dev", self._there)
            self._inside("link", "set", self._there, "up")
            self._inside("link", "set", "lo", "up")
        except NoNamespace:
            self.remove()
            raise

    def cut(self) -> None:
        """Nothing is refused and nothing arrives, as with a cable that was pulled."""
        self._inside("link", "set", self._there, "down")
        self.is_cut = True

    def heal(self) -> None:
        self._inside("link", "set", self._there, "up")
        self.is_cut = False

    def remove(self) -> None:
        """A process that still ends there would keep its end of the cable for a while."""
        _ip("netns", "delete", self.name)
        with suppress(NoNamespace):  # it goes with the other end
            _ip("link", "delete", self._here)

    def _inside(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)


def _ip(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except OSError as problem:
        raise NoNamespace(f"the program ip cannot be run: {problem}") from problem
    if done.returncode:
        raise NoNamespace(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
