"""The order rule is one: Python, Lua and SQL give every task the same place.

Whoever changes the rule in one of the three and forgets another reads here which one it is.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from ingestion.pool.clock import to_us
from ingestion.pool.errors import InvalidControl
from ingestion.pool.keys import PoolKeys
from ingestion.pool.order_rule import (
    FORMULA,
    FRONT,
    OrderRule,
    PriorityAging,
    checked_aging,
    front_before,
)
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.lua_scripts import LUA_DIR, load_scripts
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy
from ingestion.services.ledger import rows as ledger_rows
from tests.contract.order_cases import (
    AGINGS,
    CASES,
    NOON_US,
    PLACES_US,
    PRIORITIES,
    fill,
    order_in_sql,
    scores_in_sql,
)
from tests.contract.stores import ANN, OpenPool, a_task

ROOT = Path(__file__).parents[2]
EACH_AGING = pytest.mark.parametrize("aging", AGINGS)
HOUR_US = 3_600_000_000

# Evaluates the formula as every script does, for a task that stands nowhere.
SCRIPT = """\
-- Scores: of every case.
--
-- UNGUARDED it is a test
-- KEYS  task_family(hash*) config(hash)
-- ARGV  clock_offset_us(µs) places(JSON: list of µs) lowest(level) highest(level) aging(JSON)
-- OK    scores(list)
redis.call('HSET', key.config, 'priority_aging', arg.aging)
-- @include answer
-- @include clock
-- @include order
local scores = {}
for _, place_us in ipairs(cjson.decode(arg.places)) do
  for priority = tonumber(arg.lowest), tonumber(arg.highest) do
    redis.call('HSET', task_key('x'), 'queued_at', place_us, 'priority', priority)
    scores[#scores + 1] = int(score_of('x'))
  end
end
return ok(scores)
"""


def scores_in_python(aging: float) -> list[int]:
    rule = OrderRule.of(aging)
    return [rule.score(place_us, priority=priority) for place_us, priority in CASES]


def order_in_python(aging: float) -> list[int]:
    """The ids are the numbers of the cases."""
    scores, unit_us = scores_in_python(aging), OrderRule.of(aging).unit_us
    return sorted(range(len(CASES)), key=lambda n: (scores[n], CASES[n][0] % unit_us, n))


def agree(where: str, found: Sequence[int], aging: float) -> None:
    """With OrderRule of order_rule.py, case by case."""
    expected = scores_in_python(aging)
    assert len(found) == len(expected)
    differing = [
        f"priority {priority} at {place_us} µs: {theirs}, but OrderRule.score gives {ours}"
        for (place_us, priority), theirs, ours in zip(CASES, found, expected, strict=True)
        if theirs != ours
    ]
    assert not differing, (
        f"{where} evaluates another rule than ingestion/pool/order_rule.py: "
        f"{len(differing)} of {len(CASES)} scores differ, e.g. {differing[0]}"
    )


class TestPython:
    """What the rule means, by values known beforehand."""

    def test_a_level_is_worth_its_aging(self) -> None:
        rule = OrderRule.of(3600)
        assert rule.score(NOON_US, priority=0) == 31_579_200_000_000
        assert rule.score(NOON_US, priority=5) == 31_561_200_000_000
        assert rule.score(NOON_US + HOUR_US, priority=1) == rule.score(NOON_US, priority=0)
        assert rule.score(NOON_US + HOUR_US - 1, priority=1) < rule.score(NOON_US, priority=0)

    def test_a_changed_formula_has_another_number(self) -> None:
        coefficients = [astuple(OrderRule.of(aging)) for aging in (0, 60, 3600, 5_000_000)]
        assert (FORMULA, coefficients) == (
            1,
            [
                (1000, 1_735_689_600_000, 4_000_000_000_000),
                (1, 1_735_689_600_000_000, 60_000_000),
                (1, 1_735_689_600_000_000, 3_600_000_000),
                (1000, 1_735_689_600_000, 5_000_000_000),
            ],
        ), "Raise FORMULA in order_rule.py: Redis has tasks placed by the earlier coefficients."

    def test_strict_levels_never_meet(self) -> None:
        rule, far = OrderRule.of(0), to_us(datetime(2150, 1, 1, tzinfo=UTC))
        assert rule.score(NOON_US, priority=0) == 31_579_200_000
        assert rule.score(NOON_US, priority=-1000) == 4_000_031_579_200_000
        assert rule.score(far, priority=1) < rule.score(NOON_US, priority=0)

    def test_a_worth_too_small_to_count_is_not_strict(self) -> None:
        assert OrderRule.of(1e-9).level == 1

    @EACH_AGING
    def test_places_a_millisecond_apart_are_told_apart(self, aging: float) -> None:
        rule = OrderRule.of(aging)
        for place_us in PLACES_US:
            assert rule.score(place_us + 1000, priority=3) > rule.score(place_us, priority=3)

    @EACH_AGING
    def test_every_score_is_exact_in_a_double_and_behind_the_front(self, aging: float) -> None:
        scores = scores_in_python(aging)
        assert all(int(float(score)) == score for score in scores)
        assert min(scores) > FRONT

    def test_the_front_is_before_the_front(self) -> None:
        first = front_before(123)
        assert first == FRONT - 1
        assert front_before(first) == FRONT - 2

    def test_the_front_is_where_earlier_releases_have_put_tasks(self) -> None:
        assert FRONT == -6 * 10**15

    @pytest.mark.parametrize("wrong", [-1, 1e9, float("nan"), float("inf"), True, "60", None])
    def test_only_a_number_of_seconds_is_an_aging(self, wrong: object) -> None:
        with pytest.raises(InvalidControl, match=r"from 0 \(strict priority\) to below 1000000000"):
            checked_aging(wrong)  # type: ignore[arg-type]

    def test_an_aging_is_read_as_it_was_written(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        aging = PriorityAging(60, 3, set_by="ann", set_at=at, reason="night")
        assert PriorityAging.from_dict(json.loads(aging.to_json())) == aging


class TestLua:
    @EACH_AGING
    def test_it_gives_the_same_scores(
        self, client: Redis, keys: PoolKeys, tmp_path: Path, aging: float
    ) -> None:
        (tmp_path / "includes").symlink_to(LUA_DIR / "includes")
        (tmp_path / "scores.lua").write_text(SCRIPT, "utf-8")
        script = load_scripts(tmp_path)["scores"]
        given = {
            "clock_offset_us": 0,
            "places": json.dumps(PLACES_US),
            "lowest": PRIORITIES[0],
            "highest": PRIORITIES[-1],
            "aging": PriorityAging(aging).to_json(),
        }
        answer = client.register_script(script.source)(
            keys=[getattr(keys, name) for name in script.keys],
            args=[given[name] for name in script.args],
        )
        agree(
            "ingestion/pool/redis/lua/includes/order.lua",
            [int(score) for score in answer[2]],
            aging,
        )

    @EACH_AGING
    @pytest.mark.parametrize("priority", [-1000, -7, 0, 1, 1000])
    def test_it_is_what_every_way_into_the_queue_stores(
        self,
        open_redis_pool: OpenPool,
        client: Redis,
        keys: PoolKeys,
        aging: float,
        priority: int,
    ) -> None:
        pool = open_redis_pool(PoolPolicy(priority_aging_seconds=aging))
        store = pool.store
        store.set_limit(1, change=ANN)
        running = pool.running(priority=priority)
        given = {"priority": priority, "max_attempts": 2}
        submitted, raised, changed, held = (
            pool.submit(crm, **given | ({"priority": -1000} if crm == "a" else {}))
            for crm in ("b", "a", "c", "d")
        )
        store.submit(a_task("a", priority=priority), on_overlap=OnOverlap.COALESCE)
        store.prioritize(changed, priority=-priority)
        store.prioritize(changed, priority=priority)
        store.hold(held, change=ANN)
        store.release(held, change=ANN)
        due = pool.submit(not_before=pool.task(held).queued_at + timedelta(seconds=50), **given)
        restored = a_task("e", queued_at=pool.task(held).queued_at, **given)
        store.restore([restored])
        store.return_to_queue(running, attempt=1)
        pool.let_pass(60)
        store.reap()
        for task_id in (running, submitted, raised, changed, held, due, restored.id):
            self.stands_where_the_rule_says(client, keys, task_id, priority, aging)

    def test_a_rebuild_uses_the_rule_that_is_given_with_it(
        self, client: Redis, keys: PoolKeys
    ) -> None:
        store = RebuildableRedisStore(client, keys, PoolPolicy())
        tasks = [a_task(queued_at=datetime(2026, 1, 1, tzinfo=UTC), priority=n) for n in (0, 9)]
        strict = PriorityAging(0, revision=4)
        store.rebuild(map(TaskRecord, tasks), epoch=1, controls={}, priority_aging=strict)
        for task in tasks:
            self.stands_where_the_rule_says(client, keys, task.id, task.priority, 0)
        assert store.controls().priority_aging == strict

    @staticmethod
    def stands_where_the_rule_says(
        client: Redis, keys: PoolKeys, task_id: str, priority: int, aging: float
    ) -> None:
        names = ("queued_at", "score", "crm_source")
        place_us, score, crm = (value.decode() for value in client.hmget(keys.task(task_id), names))
        expected = OrderRule.of(aging).score(int(place_us), priority=priority)
        assert int(score) == expected
        assert client.zscore(keys.queue(crm), task_id) == expected


class TestSql:
    WHERE = Path(inspect.getsourcefile(ledger_rows) or "").relative_to(ROOT)

    @pytest.mark.django_db
    def test_sqlite_gives_the_same_scores_and_the_same_order(self) -> None:
        fill()
        for aging in AGINGS:
            agree(f"{self.WHERE} on SQLite", scores_in_sql(aging), aging)
            assert order_in_sql(aging) == order_in_python(aging)

    @pytest.mark.postgres
    def test_postgresql_gives_the_same_scores_and_the_same_order(
        self, postgres_database: Callable[[], str], tmp_path: Path
    ) -> None:
        env = {**os.environ, "DATABASE_URL": postgres_database(), "VAR_DIR": str(tmp_path)}
        env["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True
        )
        program = ["-m", "tests.program", "tests.contract.order_cases", *map(str, AGINGS)]
        done = subprocess.run(
            [sys.executable, *program], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE
        )
        for aging, found in zip(AGINGS, json.loads(done.stdout), strict=True):
            agree(f"{self.WHERE} on PostgreSQL", found["scores"], aging)
            assert found["order"] == order_in_python(aging)
