"""Thirty histories of sources that change while they are read; ``make histories`` runs more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.truth.changing import KINDS
from tests.truth.histories import run, served

SEEDS = {"rest": range(1, 14), "sql": range(14, 21), "sheet": range(21, 29), "soap": range(29, 31)}


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    with served() as running:
        yield running


@pytest.mark.parametrize(("seed", "kind"), [(seed, kind) for kind in KINDS for seed in SEEDS[kind]])
def test_nothing_that_lives_is_lost_in_silence(seed: int, kind: str, server: HTTPServer) -> None:
    run(seed, kind, server)
