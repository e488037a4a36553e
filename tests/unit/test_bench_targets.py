"""The targets' table of ``make bench-sync``."""

from __future__ import annotations

from benchmarks.sync.contenders import COPY, MYSQLCLIENT, PLAIN, PRODUCT, PYMYSQL, REST
from benchmarks.sync.product import FIRST, NEW, WARM
from benchmarks.sync.targets import Figure, Target, targets

FIGURES = {
    (10_000, "postgresql", PYMYSQL, FIRST): Figure(1.0, 1.0, 100),
    (10_000, "postgresql", PYMYSQL, WARM): Figure(1.0, 0.05, 100),
    (100_000, "postgresql", COPY, FIRST): Figure(9.0, 8.0, 60),
    (100_000, "postgresql", PYMYSQL, FIRST): Figure(10.0, 4.0, 105),
    (10_000, "postgresql", PYMYSQL, NEW): Figure(9.0, 1.6, 100),
    (50_000, REST, PLAIN, FIRST): Figure(9.0, 10.0, 100),
    (50_000, REST, PRODUCT, FIRST): Figure(3.0, 1.5, 100),
    (1_000_000, "postgresql", PYMYSQL, FIRST): Figure(99.0, 40.0, 120),
    (1_000_000, "postgresql", PYMYSQL, WARM): Figure(1.0, 0.055, 120),
}


def found() -> dict[str, Target]:
    return {target.title: target for target in targets(FIGURES)}


def test_speeds_are_compared_where_others_have_loaded_too() -> None:
    target = found()[f"postgresql: {PYMYSQL} ÷ {COPY}, {FIRST}"]
    assert (target.measured, target.by_cpu, target.verdict) == (0.9, 2.0, "met")


def test_what_was_left_out_is_not_measured() -> None:
    assert found()[f"postgresql: {MYSQLCLIENT} ÷ {COPY}, {FIRST}"].verdict == "not measured"


def test_memory_is_compared_from_the_fewest_rows_to_the_most() -> None:
    target = found()[f"postgresql: memory, {FIRST}, 1,000,000 ÷ 10,000 rows"]
    assert (target.measured, target.verdict) == (1.2, "missed")


def test_a_delta_counts_the_cpu_of_a_warm_process() -> None:
    verdicts = {title: target.verdict for title, target in found().items() if "delta" in title}
    assert verdicts["postgresql: CPU s of a delta, nothing new, warm"] == "met"
    assert verdicts["postgresql: CPU of a delta, nothing new, 1,000,000 ÷ 10,000 rows"] == "met"
    assert verdicts["postgresql: CPU s of a delta, nothing new, in a new process"] == "missed"


def test_over_http_the_cpu_of_a_row_is_compared_with_plain_dlt() -> None:
    target = found()[f"{REST}: CPU of a row, {PRODUCT} ÷ {PLAIN}"]
    assert (target.measured, target.verdict) == (0.15, "met")
