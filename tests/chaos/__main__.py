# ruff: noqa: T201
"""Kills, stops, cuts off and floods a whole system at random, and counts what came of it.

    python -m tests.chaos --seed 7 --tasks 2000 --faults 200

Ends with 0 when every promise held, with 1 otherwise; the seed is printed for another try.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.chaos import crms
from tests.chaos.namespace import Namespace, NoNamespace
from tests.chaos.notes import Notes
from tests.chaos.plan import KINDS, PARTITION, Plan, plan_for
from tests.chaos.runner import Runner, Verdict
from tests.chaos.servers import Ledger, PostgresLedger, SqliteLedger
from tests.chaos.system import LEASE_SECONDS, REAL_LEASE_SECONDS, Shape, System

ALL_KINDS = [*KINDS, *PARTITION]
POSTGRES_URL = "postgresql://postgres@127.0.0.1:5432/postgres"


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    namespace = _second_host() if asked.partition else None
    known = KINDS | (PARTITION if namespace else {})
    kinds = {k: w for k, w in known.items() if k in asked.only and k not in asked.without}
    is_real = _is_real(asked.syncs, seed, namespace)
    what = "real syncs" if is_real else "tasks"
    print(f"chaos: seed {seed}, {asked.tasks} {what}, {asked.faults} faults", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    ledger: Ledger = PostgresLedger(asked.postgres) if asked.postgres else SqliteLedger(folder)
    lease_seconds = REAL_LEASE_SECONDS if is_real else LEASE_SECONDS
    shape, notes = Shape(asked.workers, asked.concurrency, lease_seconds), Notes()
    plan = plan_for(seed, tasks=asked.tasks, faults=asked.faults, kinds=kinds)
    verdict = Verdict(["it did not come to an end"], [])
    try:
        with _settings(folder, ledger, is_real) as settings:
            system = System(folder, ledger, notes, shape, namespace=namespace, settings=settings)
            verdict = _run(system, plan, measures=not asked.no_measures, is_real=is_real)
    finally:
        ledger.remove()
        if namespace:
            namespace.remove()
        _tell(verdict, notes, folder, seed)
    if not verdict.findings and not asked.keep:
        shutil.rmtree(folder)
    return 1 if verdict.findings else 0


def _is_real(wanted: str | None, seed: int, namespace: Namespace | None) -> bool:
    """One run in five, unless it is said; the sandboxes of the CRMs are on this host alone."""
    return wanted == "real" or (wanted is None and seed % 5 == 0 and namespace is None)


def _settings(
    folder: Path, ledger: Ledger, is_real: bool
) -> AbstractContextManager[dict[str, str]]:
    if is_real:
        return crms.serving(folder, warehouse_url=ledger.warehouse_url)
    return nullcontext({})


def _run(system: System, plan: Plan, *, measures: bool, is_real: bool) -> Verdict:
    try:
        system.start()
        verdict = Runner(system, plan, say=_say, measures=measures).run()
        if is_real:
            verdict.findings.extend(crms.differences(system.env))
        return verdict
    finally:
        system.stop()


def _second_host() -> Namespace | None:
    namespace = Namespace()
    try:
        namespace.make()
    except NoNamespace as reason:
        print(f"without a second host and its partition: {reason}", flush=True)
        return None
    return namespace


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(verdict: Verdict, notes: Notes, folder: Path, seed: int) -> None:
    print("\n".join(["", *verdict.figures, *map(str, notes.died), *notes.late]))
    for finding in verdict.findings[:50]:
        print(f"BROKEN  {finding}")
    if verdict.findings:
        print(f"{len(verdict.findings)} promises broken with seed {seed}; logs in {folder}")
    else:
        print(f"Every promise held with seed {seed}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats a plan; by default a new one")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=ALL_KINDS, default=ALL_KINDS, metavar="KIND")
    parser.add_argument("--without", nargs="+", choices=ALL_KINDS, default=[], metavar="KIND")
    parser.add_argument(
        "--postgres",
        nargs="?",
        const=POSTGRES_URL,
        metavar="URL",
        help="keep the ledger in a new database of this server instead of a file",
    )
    parser.add_argument(
        "--partition",
        action="store_true",
        help="run a worker in a network namespace and cut it off now and then",
    )
    parser.add_argument(
        "--syncs",
        choices=("real", "fake"),
        help="load sandboxes of CRMs into a warehouse, or pretend to; by default real for one seed "
        "in five",
    )
    parser.add_argument(
        "--no-measures",
        action="store_true",
        help="do not measure first how soon single failures are noticed",
    )
    parser.add_argument("--keep", action="store_true", help="keep the logs of a good run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
