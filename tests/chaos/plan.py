"""What is going to be submitted and what is going to go wrong, all of it from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

# How often each kind comes in comparison; each comes at least once when there are faults enough.
KINDS = {
    "kill_child": 10,
    "kill_worker": 4,
    "stop_worker": 4,
    "stop_worker_past_lease": 4,
    "end_worker": 3,
    "kill_broker": 4,
    "flush_broker": 3,
    "freeze_broker": 3,
    "kill_cache": 5,
    "flush_cache": 4,
    "lose_cache": 2,
    "lose_cache_for_long": 1,
    "freeze_cache": 4,
    "interrupt_ledger": 5,
    "deliver_again": 12,
    "two_monitors": 6,
    "kill_web": 4,
    "kill_beat": 2,
    "second_beat": 2,
    "cancel": 14,
    "limit": 8,
    "move_clock": 4,
    "freeze_cache_past_lease": 2,
    "fill_cache": 3,
    "lock_out_of_cache": 3,
    "read_only_cache": 3,
    "delay_replies": 4,
    "drop_replies": 4,
    "partition_cache": 4,
    "wall_clock": 3,
    "older_worker": 2,
    "lose_key": 4,
    # The rest needs a ledger in PostgreSQL; with a file another kind comes instead.
    "lock_ledger": 3,
    "crash_ledger": 3,
    "lose_commits": 3,
    "read_only_ledger": 3,
    "freeze_ledger": 3,
}
# With a second host only.
PARTITION = {"partition": 8}
ROUTES = (("five9", "contacts"), ("hubspot", "deals"), ("arrivy", "tasks"))
MEAN_GAP_SECONDS = 1.4


@dataclass(frozen=True)
class Submission:
    """``pages`` of a twentieth of a second each; ``fails``: its first attempt does."""

    label: int
    route: tuple[str, str]
    priority: int
    max_attempts: int
    pages: int
    fails: bool

    def asked(self) -> dict[str, Any]:
        return {
            "crm_source": self.route[0],
            "sync_type": self.route[1],
            "priority": self.priority,
            "max_attempts": self.max_attempts,
            "parameters": {"max_records": self.pages, "batch_size": self.label}
            | ({"force": True} if self.fails else {}),
        }


@dataclass(frozen=True)
class Fault:
    """``at``: seconds after the beginning. ``seed`` decides whom it hits and for how long."""

    at: float
    kind: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """``kinds``: what may come instead of a fault that can hit nothing."""

    seed: int
    submissions: tuple[Submission, ...]
    faults: tuple[Fault, ...]
    kinds: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Submissions are spread over this time, so that no fault meets an idle system."""
        return self.faults[-1].at if self.faults else 5.0


def plan_for(
    seed: int, *, tasks: int, faults: int, kinds: dict[str, int], retries: bool = True
) -> Plan:
    """Without ``retries`` nobody waits half a minute for the backoff of another attempt."""
    draw = Random(seed)
    return Plan(
        seed,
        tuple(_submission(draw, label, retries) for label in range(1, tasks + 1)),
        tuple(_faults(draw, faults, kinds)),
        tuple(kinds),
    )


def _submission(draw: Random, label: int, retries: bool) -> Submission:
    return Submission(
        label,
        draw.choice(ROUTES),
        draw.choice((0, 0, 0, 5, -5)),
        draw.choice((1, 1, 2, 3)) if retries else 1,
        # Most are over before anything hits them; some are there for a while.
        draw.choice((30, 60)) if draw.random() < 0.05 else draw.randint(1, 10),
        draw.random() < 0.03,
    )


def _faults(draw: Random, count: int, kinds: dict[str, int]) -> list[Fault]:
    chosen = [*kinds][:count]
    chosen += draw.choices([*kinds], weights=[*kinds.values()], k=count - len(chosen))
    draw.shuffle(chosen)
    found, at = [], 0.0
    for kind in chosen:
        at += draw.expovariate(1 / MEAN_GAP_SECONDS)
        found.append(Fault(at, kind, draw.getrandbits(32)))
    return found
