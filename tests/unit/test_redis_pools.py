"""Who is asked for the node of a slot, in which order, and how long."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis.exceptions import RedisError
from redis.sentinel import MasterNotFoundError

from ingestion.services.infra import redis_pools
from ingestion.services.infra.redis_pools import Address, SlotFinder

A, B, C, D = ("a", 1), ("b", 1), ("c", 1), ("d", 1)


class Finder(SlotFinder):
    """Over nodes that say what a test wants; ``asked`` is who was."""

    def __init__(self, nodes: list[Address], answers: dict[Address, Address]) -> None:
        super().__init__(nodes, slot=7)
        self.answers, self.asked = answers, list[Address]()

    def _slots(self, node: Address) -> dict:  # type: ignore[type-arg]
        self.asked.append(node)
        if node not in self.answers:
            raise RedisError("away")
        primary = {"primary": self.answers[node], "replicas": [D]}
        return {(0, 9): primary, (10, 19): {"primary": A, "replicas": []}}

    def find(self) -> Address:
        self.asked.clear()
        return self.discover_master("")


def test_the_first_that_answers_is_believed_and_who_is_away_is_asked_last() -> None:
    finder = Finder([A, B, C], {B: C, C: C})
    assert (finder.find(), finder.asked) == (C, [A, B])
    assert (finder.find(), finder.asked) == (C, [B])


def test_nodes_are_learned_from_nodes() -> None:
    finder = Finder([A], {A: C, D: D})
    finder.find()
    finder.answers.pop(A)
    assert (finder.find(), finder.asked) == (D, [A, C, D])


def test_what_a_node_says_of_a_move_counts_once() -> None:
    finder = Finder([A], {A: B})
    finder.moved_to(C)
    assert [finder.find(), finder.find()] == [C, B]


def test_what_a_node_said_long_ago_of_a_move_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_pools, "BELIEVED_SECONDS", -1)
    finder = Finder([A], {A: B})
    finder.moved_to(C)
    assert finder.find() == B


def test_nobody_knows() -> None:
    finder = Finder([A, B], {})
    with pytest.raises(MasterNotFoundError, match="a:1: away; b:1: away"):
        finder.find()


@pytest.fixture
def frozen() -> Iterator[list[Address]]:
    """Ten that take a connection and never answer."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(10)]
        yield [found.getsockname() for found in sockets]


def test_frozen_nodes_are_not_all_waited_for(frozen: list[Address]) -> None:
    """All of them are asked within what a call may wait for one server, each in its turn."""
    waits = {"socket_timeout": redis_pools.NODE_SECONDS, "protocol": 2}
    finder = SlotFinder(frozen, slot=7, **waits)
    most = 1 + round(redis_pools.FIND_SECONDS / redis_pools.NODE_SECONDS)
    asked = []
    for _ in range(2):
        with pytest.raises(MasterNotFoundError) as failed:
            finder.discover_master("")
        asked.append(str(failed.value).count("Timeout"))
    assert all(0 < count <= most for count in asked)
    assert len(set(frozen) - set(finder._nodes[-sum(asked) :])) == len(frozen) - sum(asked)
