"""The targets' table of ``make bench-sync``."""

from __future__ import annotations

from benchmarks.sync.contenders import COPY, MYSQLCLIENT, PYMYSQL
from benchmarks.sync.product import FIRST, WARM
from benchmarks.sync.targets import Figure, Target, targets

FIGURES = {
    (10_000, "postgresql", PYMYSQL, FIRST): Figure(1.0, 1.0, 100),
    (10_000, "postgresql", PYMYSQL, WARM): Figure(1.0, 0.05, 100),
    (100_000, "postgresql", COPY, FIRST): Figure(9.0, 8.0, 60),
    (100_000, "postgresql", PYMYSQL, FIRST): Figure(10.0, 4.0, 105),
    (1_000_000, "postgresql", PYMYSQL, FIRST): Figure(99.0, 40.0, 120),
    (1_000_000, "postgresql", PYMYSQL, WARM): Figure(1.0, 0.055, 120),
}


def found() -> dict[str, Target]:
    return {target.title: target for target in targets(FIGURES)}


def test_speeds_are_compared_where_others_have_loaded_too() -> None:
    target = found()[f"postgresql: {PYMYSQL} ÷ {COPY}"]
    assert (target.measured, target.by_cpu, target.verdict) == (0.9, 2.0, "met")


def test_what_was_left_out_is_not_measured() -> None:
    assert found()[f"postgresql: {MYSQLCLIENT} ÷ {COPY}"].verdict == "not measured"


def test_memory_is_compared_from_the_fewest_rows_to_the_most() -> None:
    target = found()[f"postgresql: memory, {FIRST}, 1,000,000 ÷ 10,000 rows"]
    assert (target.measured, target.verdict) == (1.2, "missed")


def test_a_delta_counts_the_cpu_of_a_warm_process() -> None:
    verdicts = {title: target.verdict for title, target in found().items() if "delta" in title}
    assert verdicts["postgresql: CPU s of a delta, nothing new, warm"] == "met"
    assert verdicts["postgresql: CPU of a delta, nothing new, 1,000,000 ÷ 10,000 rows"] == "met"
