"""Random histories of a store in Redis, whose client repeats what it has no reply for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fakeredis
from redis import Redis

from ingestion.pool.store import PoolPolicy
from tests.contract.state_dump import StateDump, check_keys
from tests.contract.stateful import StoreMachine, Verb
from tests.contract.stores import Pool, own_keys, redis_pool


class RepeatingMixin:
    """A client that lost the reply of a script and runs it again, as redis-py may do."""

    loses_reply = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        command: Callable[..., Any] = super().execute_command  # type: ignore[misc]
        if self.loses_reply and str(args[0]).startswith("EVAL"):
            command(*args, **options)
        return command(*args, **options)


class RepeatingRedis(RepeatingMixin, Redis):
    pass


class RepeatingFakeRedis(RepeatingMixin, fakeredis.FakeRedis):
    pass


class RedisMachine(StoreMachine):
    """A store on a server, with a client that repeats what it has no reply for."""

    client: RepeatingMixin

    def open(self, policy: PoolPolicy) -> Pool:
        self._own_keys = own_keys(self.client)  # type: ignore[arg-type]
        self._keys = self._own_keys.__enter__()
        return redis_pool(self.client, policy, self._keys)  # type: ignore[arg-type]

    def check_inside(self, picture: StateDump) -> None:
        check_keys(self.client, self._keys, picture)  # type: ignore[arg-type]

    def twice(self, verb: Verb, *, has_token: bool) -> Any:
        """Below the store: also verbs that take no token of the caller's."""
        self.client.loses_reply = True
        try:
            return verb(self.pool.store)
        finally:
            self.client.loses_reply = False

    def teardown(self) -> None:
        if hasattr(self, "_own_keys"):
            self._own_keys.__exit__(None, None, None)
