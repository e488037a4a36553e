"""Random batches against a warehouse and an independent model of it.

``python -m tests.load_fuzz SQLITE_OR_POSTGRES_URL [--seconds N] [--batches N] [--seed N]``: odd names,
orders, types, values, repeats, late columns, records without a key and people who drop columns and
tables, in first loads, deltas and full runs. The model is a dict of the last good record of each key;
the warehouse must hold the same, field by field through ``_columns``, or have the record in
``_rejected``. hypothesis draws the batches and makes those that fail as small as it can. Prints its
seed, how many batches ran and in what share of them each kind occurred; a share below a tenth is an
error.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies

from ingestion.sync.common.misfits import misfit_values
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import NEW_YEAR, FakeSource
from tests.sync_world import World

MODEL = Model(
    "users",
    columns={"id": "bigint", "changed": "timestamp"},
    cursor="changed",
    incremental="cursor",
)
NAMES = (
    *("a", "A", "a b", "a_b", "a__b", "a$b", "a%b", "ab_", "ab", "aB", "姓名", "name", "Größe"),
    *("grosse", "_row_hash", "_misfits", "_run_id", "ctid", "select", "x" * 90, "x" * 91, '"', "'"),
    *(f"late {n}" for n in range(10)),
)
PLAIN = frozenset({"a", "ab", "name"})
BATCHES_PER_WAREHOUSE = 8
LEAST_SHARE = 0.1
MOST_GONE = 19  # more at once are held back
Draw = Callable[[random.Random], Any]
# Each kind of value with what a reader finds, by a rule of its own.
KINDS: dict[str, Draw] = {
    "text": lambda r: "".join(
        r.choice("aé姓😀'\"\\\n\t,;%{}\ue000\x1f ") for _ in range(r.randrange(12))
    ),
    "whole": lambda r: r.choice([0, 7, -(2**63), 2**63 - 1, r.randrange(10**9)]),
    "long whole": lambda r: r.choice([2**63, 10**25, -(10**30)]),
    "fraction": lambda r: r.choice([0.5, 1234.56, 1e-9, -2.25, 1e300, r.random()]),
    "decimal": lambda r: Decimal(r.randrange(-(10**24), 10**24)).scaleb(-r.randrange(12)),
    "bool": lambda r: r.choice([False, True]),
    "moment": lambda r: NEW_YEAR + timedelta(microseconds=r.randrange(10**15)),
    "date": lambda r: (NEW_YEAR + timedelta(days=r.randrange(-9999, 9999))).date(),
    "json": lambda r: {"b": [r.randrange(9), None, "ü"], "a": {"x": r.choice([False, True])}},
    "nothing": lambda r: None,
}


class Fuzz:
    """One warehouse, one source, one model of both. ``draw`` decides everything."""

    def __init__(self, world: World, draw: random.Random) -> None:
        self.world, self.random = world, draw
        self.expected: dict[int, dict[str, Any]] = {}
        self.has_table = False
        self.kinds: dict[str, str] = {}
        self.clock = 0

    def batch(self) -> set[str]:
        """Change the source, run, compare. Returns the kinds that occurred."""
        seen = {"full" if self._happens(0.3) else "delta"}
        records = [self._record(seen) for _ in range(self.random.randrange(1, 10))]
        if self._happens(0.25):
            records.append({"name": "nobody"})
            seen.add("no key")
        mode = "full" if "full" in seen else "delta"
        if mode == "full":
            records = self._without_gone(seen) + records
            self._touched_by_people(seen)
        for record in records:
            if record.get("id") is not None:
                self.expected[record["id"]] = record
        hypothesis.note(f"{mode}: {records}")
        self.world.source.records["users"] = records
        result = self.world.run(MODEL, mode=mode)
        assert result.failed == ("no key" in seen), result
        self._compare()
        self.has_table = True
        return seen

    def _happens(self, share: float) -> bool:
        return self.random.randrange(100) < 100 * share

    def _without_gone(self, seen: set[str]) -> list[dict[str, Any]]:
        """What the source still has, in another order."""
        gone = [key for key in self.expected if self._happens(0.2)][:MOST_GONE]
        for key in gone:
            del self.expected[key]
        seen.update({"deletion"} if gone else ())
        stay = [dict(record) for record in self.expected.values()]
        self.random.shuffle(stay)
        return stay

    def _touched_by_people(self, seen: set[str]) -> None:
        """A column or the table dropped, which a full run makes good."""
        columns = sorted({n for r in self.world.rows(MODEL) for n in r}) if self.has_table else []
        content = [n for n in columns if n not in ("id", "changed") and not n.startswith("_")]
        if not content or not self._happens(0.7):
            return
        seen.add("drift")
        table = self.world.table("users")
        column = self.random.choice([None, *content])
        change = f'ALTER TABLE {table} DROP COLUMN "{column}"' if column else f"DROP TABLE {table}"
        hypothesis.note(change)
        self.world.execute(change)

    def _record(self, seen: set[str]) -> dict[str, Any]:
        r, self.clock = self.random, self.clock + 1
        key = r.randrange(1, 60)
        seen.update({"repeat"} if key in self.expected else ())
        names = r.sample(NAMES, r.randrange(8))
        record: dict[str, Any] = {"id": key, "changed": NEW_YEAR + timedelta(seconds=self.clock)}
        for name in names:
            known = self.kinds.get(name)
            kind = known if known and self._happens(0.8) else r.choice(list(KINDS))
            seen.update({"odd name"} if name not in PLAIN else ())
            seen.update({"odd type"} if known and kind != known else ())
            seen.update({"late column"} if not known and self.expected else ())
            self.kinds.setdefault(name, kind)
            seen.add(kind)
            record[name] = KINDS[kind](r)
        items = list(record.items())
        r.shuffle(items)
        return dict(items)

    def _compare(self) -> None:
        columns = {
            row["source_name"]: row["column_name"]
            for row in self.world.rows(Model("_columns"), deleted=None)
        }
        assert len(set(columns.values())) == len(columns)
        rows = {row["id"]: row for row in self.world.rows(MODEL)}
        assert rows.keys() == self.expected.keys()
        for key, record in self.expected.items():
            misfits = misfit_values(rows[key].get("_misfits") or {})
            aside = {**misfits, **(rows[key].get("_overflow") or {})}
            for name, value in record.items():
                if value is not None:
                    column = columns[name]
                    found = rows[key].get(column, None)
                    found = aside.get(column) if found is None else found
                    assert same(found, value), (key, name, value, found)


def same(found: Any, value: Any) -> bool:
    """Whether a reader finds the value, be it in the words of another type."""
    if isinstance(value, datetime):
        text = found if isinstance(found, str) else None
        found = datetime.fromisoformat(text) if text else found
        if isinstance(found, date) and not isinstance(found, datetime):  # a day is its midnight
            return datetime(found.year, found.month, found.day, tzinfo=UTC) == value
        if not isinstance(found, datetime):
            return False
        return (found if found.tzinfo else found.replace(tzinfo=UTC)) == value
    if isinstance(value, str) and not value.strip():  # no value, in a column of another type
        return found is None or found == value
    if isinstance(value, date) and isinstance(found, datetime):
        return found.replace(tzinfo=None) == datetime(value.year, value.month, value.day)  # noqa: DTZ001
    if isinstance(value, dict):
        return bool((json.loads(found) if isinstance(found, str) else found) == value)
    if isinstance(found, bool) or isinstance(value, bool):
        return found == value or str(found).lower() in (str(value).lower(), str(value))
    if isinstance(value, int | float | Decimal) and found is not None:
        wanted = Decimal(repr(value) if isinstance(value, float) else value)
        return Decimal(repr(found) if isinstance(found, float) else str(found)) == wanted
    return str(found) == str(value)


@dataclass
class Tally:
    """How many batches ran, and in how many of them each kind occurred."""

    batches: int = 0
    occurred: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        shares = (
            f"{kind:14}{count:7}{count / self.batches:8.0%}"
            for kind, count in self.occurred.most_common()
        )
        return "\n".join([f"{self.batches} batches", *shares])

    @property
    def rare(self) -> list[str]:
        return [k for k in EVERY_KIND if self.occurred[k] < LEAST_SHARE * self.batches]


EVERY_KIND = frozenset(
    {*KINDS, "full", "delta", "no key", "deletion", "drift", "repeat", "odd type", "odd name"}
    | {"late column"}
)


def explore(url: str, *, seed: int, warehouses: int, tally: Tally) -> None:
    """So many warehouses of ``BATCHES_PER_WAREHOUSE`` each. Raises AssertionError for the smallest
    program that shows a fault, which hypothesis prints."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=warehouses,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategies.randoms(use_true_random=False))
    def run(draw: random.Random) -> None:
        with closing(Warehouse(url)) as warehouse, tempfile.TemporaryDirectory() as folder:
            world = World(FakeSource(), url, Path(folder), warehouse)
            world.drop_dataset()
            fuzz = Fuzz(world, draw)
            for _ in range(BATCHES_PER_WAREHOUSE):
                tally.occurred.update(fuzz.batch())
                tally.batches += 1

    run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load_fuzz")
    parser.add_argument("url", help="of a warehouse whose data set fake may be dropped")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--batches", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    deadline, tally, seed = time.monotonic() + asked.seconds, Tally(), asked.seed
    while time.monotonic() < deadline and tally.batches < asked.batches:
        explore(asked.url, seed=seed, warehouses=25, tally=tally)
        seed += 1
    print(tally)
    if tally.rare:
        print(f"too rare: {', '.join(tally.rare)}", file=sys.stderr)
    return 1 if tally.rare else 0


if __name__ == "__main__":
    sys.exit(main())
