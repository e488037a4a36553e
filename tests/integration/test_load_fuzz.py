"""A few random batches against each warehouse; ``make fuzz`` draws more of them."""

from __future__ import annotations

from tests.load_fuzz import BATCHES_PER_WAREHOUSE, Tally, explore
from tests.sync_world import World


def test_random_batches_leave_the_warehouse_as_their_model_has_it(world: World) -> None:
    tally = Tally()
    explore(world.url, seed=1, warehouses=3, tally=tally)
    assert tally.batches >= 3 * BATCHES_PER_WAREHOUSE
