"""What a CRM folder offers for the second reading: ``raw.py`` with a class ``RawReader``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ingestion.sync.common.source import Heard, Model, SourceContext

# As an answer holds it: None, bool, int, Decimal, str, list or dict; never a float.
Raw = Any
Key = tuple[str, ...]
StoredRow = Mapping[str, str]


@dataclass(frozen=True)
class RawRecord:
    """A record as the CRM sent it. ``key``: texts, in the order of the model's key; ``fields`` by the
    names that the sync lands; ``is_gone``: the CRM says that it was deleted; ``is_part``: fields that
    come in several answers are put together."""

    key: Key
    fields: Mapping[str, Raw]
    is_gone: bool = False
    is_part: bool = False


@dataclass(frozen=True)
class Count:
    """How many living records the CRM says that it has; ``is_least``: or more."""

    number: int
    is_least: bool = False


@dataclass(frozen=True)
class Abilities:
    """What can be asked, in words; empty: it cannot."""

    raw: str = ""
    count: str = ""
    look_up: str = ""
    sample: str = ""


class RawReader:
    """What nothing is known about. ``zone``: of times that name none; ``most_look_ups``: how many
    records may be asked for by key, where each is a request."""

    zone: tzinfo = UTC
    most_look_ups = 20

    def __init__(self, context: SourceContext) -> None:
        self.settings = context.settings

    def abilities(self, model: Model) -> Abilities:
        return Abilities()

    def received(self, model: Model, answer: Heard) -> Iterable[RawRecord]:
        """The records of the model in one answer that the sync's own paging got."""
        return ()

    def read(self, model: Model) -> Iterator[RawRecord] | None:
        """A complete reading of its own, made before the sync's, in place of the answers that that
        gets."""
        return None

    def count(self, model: Model) -> Count | None:
        return None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        """Which of some rows of the warehouse the CRM still has, asked one by one or by key."""
        return None

    def sample(self, model: Model, rows: Sequence[StoredRow], known: int) -> list[RawRecord] | None:
        """Records that the sync's paging did not choose: by random bounds, or from behind the last
        of the ``known`` ones. ``rows``: some of these."""
        return None

    def finds_deleted(self, model: Model) -> bool:
        """Whether what a look-up finds is alive for certain, as its lists tell it."""
        return True

    def is_forgotten(self, model: Model, row: StoredRow) -> bool:
        """Whether the CRM no longer keeps something as old as a row."""
        return False

    def close(self) -> None:
        """Give back connections."""


def open_reader(crm_source: str, context: SourceContext) -> RawReader:
    """That of a CRM; one that knows nothing where its folder has none."""
    name = f"ingestion.sync.{crm_source}.raw"
    if find_spec(name) is None:
        return RawReader(context)
    made: RawReader = import_module(name).RawReader(context)
    return made
