"""What is mutated, and the tests nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.mutants.lua_source import lua_mutations
from tests.mutants.mutation import Mutation
from tests.mutants.python_source import python_mutations


@dataclass(frozen=True)
class Scope:
    """``files`` and ``tests``: paths from the project's root. ``within``: only mutations in
    functions and classes whose names begin so; none: everywhere. ``tests`` are tried in their
    order, so that the quick ones come first; words that pytest takes may stand among them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    within: tuple[str, ...] = ()

    def mutations(self, root: Path) -> list[Mutation]:
        found = [m for path in self.files for m in mutations_of(root, path)]
        return [m for m in found if not self.within or m.within.startswith(self.within)]


_LOAD = "ingestion/sync/load"
_PIPELINE = ("tests/integration/test_pipeline.py", "tests/integration/test_pipeline_deletions.py")
_EXACT = ("tests/integration/test_load_exact.py", "tests/integration/test_load_rejected.py")
_FUZZ = "tests/integration/test_load_fuzz.py"
_UPGRADE = "tests/integration/test_load_upgrade.py"
# What is the same on both warehouses is tried on one.
_ON_SQLITE = ("-k", "not postgres")
# A first load is written in another way on each.
_ON_SQLITE_BUT_FIRST_LOADS = ("-k", "not postgres or lands_every_record")

_LUA = "ingestion/pool/redis/lua"
_INCLUDES = f"{_LUA}/includes"
_FAILOVER = "ingestion/services/failover"
# On fakeredis, which runs the very scripts; ``make test`` runs them on a server too.
_STORE_TESTS = (
    "tests/contract/test_store_contract.py",
    "tests/contract/test_store_queue.py",
    "tests/contract/test_store_repairs.py",
    "tests/contract/test_store_endings.py",
    "tests/contract/test_store_order.py",
    "tests/contract/test_store_overlap.py",
    "tests/contract/test_store_controls.py",
    "tests/contract/test_store_damage.py",
    "tests/contract/test_store_aging.py",
    "tests/contract/test_store_workers.py",
    "tests/contract/test_store_admit.py",
    "tests/contract/test_store_after.py",
    "tests/contract/test_store_pages.py",
    "tests/contract/test_redis_store.py",
    "tests/contract/test_redis_rebuild.py",
    "tests/contract/test_redis_broken.py",
    "-k",
    "fakeredis",
)
_MEMORY_TESTS = (
    *_STORE_TESTS[:13],
    # The ledger's store is made of it, and is quiet at times.
    "tests/integration/test_two_failover_stores.py",
    "-k",
    "memory or nothing_starts_until_everybody_knows",
)

# A name before the dot runs all that begin with it.
SCOPES: dict[str, Scope] = {
    "load.columns": Scope(
        (f"{_LOAD}/columns/column_map.py", "ingestion/sync/common/names.py"),
        (
            "tests/unit/test_load_map.py",
            "tests/integration/test_load_columns.py",
            "tests/integration/test_schema_policy.py",
            *_PIPELINE[:1],
            *_EXACT[:1],
            _UPGRADE,
            *_ON_SQLITE,
        ),
    ),
    "load.typing": Scope(
        (
            f"{_LOAD}/columns/typed.py",
            f"{_LOAD}/columns/types.py",
            "ingestion/sync/common/values.py",
        ),
        (
            "tests/unit/test_load_types.py",
            "tests/unit/test_convert.py",
            "tests/unit/test_load_typed.py",
            *_EXACT,
            *_PIPELINE[:1],
            "tests/integration/test_load_drift.py",
            *_ON_SQLITE,
        ),
    ),
    "load.hash": Scope(
        (f"{_LOAD}/columns/hashing.py",),
        ("tests/unit/test_load_hash.py", *_EXACT, *_PIPELINE[:1], _UPGRADE, *_ON_SQLITE),
    ),
    "load.merge": Scope(
        (f"{_LOAD}/merge.py", f"{_LOAD}/loading.py"),
        (
            *reversed(_PIPELINE),
            "tests/integration/test_pipeline_failures.py",
            *_EXACT,
            "tests/integration/test_load_drift.py",
            _FUZZ,
            _UPGRADE,
            *_ON_SQLITE_BUT_FIRST_LOADS,
        ),
    ),
    "load.watermark": Scope(
        ("ingestion/sync/common/window.py", f"{_LOAD}/reading.py"),
        (
            "tests/unit/test_window.py",
            "tests/integration/test_watermarks.py",
            *_PIPELINE,
            *_EXACT[1:],
            _UPGRADE,
            *_ON_SQLITE,
        ),
    ),
    "pool.slots": Scope(
        (
            f"{_LUA}/claim.lua",
            f"{_LUA}/confirm.lua",
            f"{_LUA}/finish.lua",
            f"{_INCLUDES}/claim_free_slots.lua",
            f"{_INCLUDES}/slots.lua",
            f"{_INCLUDES}/rooms.lua",
            f"{_INCLUDES}/heads.lua",
        ),
        _STORE_TESTS,
    ),
    "pool.leases": Scope(
        (
            f"{_LUA}/heartbeat.lua",
            f"{_LUA}/report_progress.lua",
            f"{_LUA}/reap.lua",
            f"{_INCLUDES}/lease.lua",
            f"{_INCLUDES}/holder.lua",
            f"{_INCLUDES}/overdue.lua",
            f"{_INCLUDES}/repair.lua",
            f"{_INCLUDES}/resend.lua",
        ),
        _STORE_TESTS,
    ),
    "pool.queue": Scope(
        (
            f"{_LUA}/submit.lua",
            f"{_LUA}/cancel.lua",
            f"{_LUA}/return_to_queue.lua",
            f"{_INCLUDES}/queue.lua",
            f"{_INCLUDES}/place.lua",
            f"{_INCLUDES}/order.lua",
            f"{_INCLUDES}/ending.lua",
            f"{_INCLUDES}/operation.lua",
        ),
        _STORE_TESTS,
    ),
    "pool.rebuild": Scope(
        (
            f"{_LUA}/begin_rebuild.lua",
            f"{_LUA}/put_back.lua",
            f"{_LUA}/end_rebuild.lua",
            f"{_LUA}/restore.lua",
            f"{_LUA}/wipe.lua",
            f"{_LUA}/find_unwritten.lua",
            f"{_INCLUDES}/guard.lua",
            f"{_INCLUDES}/placing.lua",
            f"{_INCLUDES}/rebuild.lua",
            "ingestion/pool/redis/rebuild.py",
        ),
        (
            "tests/integration/test_rebuild.py",
            "tests/integration/test_rebuild_endings.py",
            *_STORE_TESTS[11:-1],
            "fakeredis or test_rebuild",
        ),
    ),
    "pool.memory": Scope(
        ("ingestion/pool/memory/state.py", "ingestion/pool/memory/store.py"), _MEMORY_TESTS
    ),
    "pool.rules": Scope(
        ("ingestion/pool/order_rule.py", "ingestion/pool/overlap.py"),
        (
            "tests/contract/test_order_rule.py",
            "tests/unit/test_pool_task.py",
            *_STORE_TESTS[:-1],
            "fakeredis or memory or test_order_rule or test_pool_task",
        ),
    ),
    "pool.lease": Scope(
        ("ingestion/services/worker/lease.py", "ingestion/services/worker/execute.py"),
        (
            "tests/unit/test_lease.py",
            "tests/unit/test_execute.py",
            "tests/unit/test_execute_stopped.py",
        ),
    ),
    "pool.failover": Scope(
        (
            f"{_FAILOVER}/failover.py",
            f"{_FAILOVER}/store.py",
            f"{_FAILOVER}/active_store.py",
            f"{_FAILOVER}/transitions.py",
        ),
        (
            "tests/integration/test_failover_calls.py",
            "tests/integration/test_two_installations.py",
            "tests/integration/test_queue_operators.py",
            "tests/integration/test_degraded.py",
            "tests/integration/test_two_failover_stores.py",
            "tests/integration/test_rebuild.py",
            "tests/integration/test_rebuild_endings.py",
            # Starts workers.
            "-k",
            "not everywhere_until",
        ),
    ),
}


def mutations_of(root: Path, path: str) -> list[Mutation]:
    source = (root / path).read_text()
    return lua_mutations(path, source) if path.endswith(".lua") else python_mutations(path, source)


def chosen(names: list[str]) -> dict[str, Scope]:
    """The scopes of these names, or of what stands before their dots. Raises KeyError."""
    found = {}
    for name in names:
        of_name = {n: s for n, s in SCOPES.items() if n == name or n.startswith(f"{name}.")}
        if not of_name:
            raise KeyError(name)
        found |= of_name
    return found
