"""What goes wrong. Each fault hits what it can, and says how it is undone, and after how long.

A fault raises Untouchable when what it would hit is down already; another one is done then.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.chaos.faults import ledgers, operators, processes, redis_servers
from tests.chaos.faults.base import Done
from tests.chaos.system import System

MODULES = (processes, redis_servers, ledgers, operators)
FAULTS: dict[str, Callable[[System, Random], Done]] = {
    name: verb
    for module in MODULES
    for name, verb in vars(module).items()
    if getattr(verb, "__module__", "") == module.__name__ and not name.startswith("_")
}
