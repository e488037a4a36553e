"""Who asks gets an answer in time, and not a refusal unless something was down; nobody dies of it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.judges.facts import Facts
from tests.chaos.notes import Call

# No verb waits longer than five seconds for whatever it is; a busy machine adds as much again.
CALL_SECONDS = 10.0
# Of the submissions; each fault that may refuse any is over within seconds.
REFUSED_SHARE = 0.25
FEWEST_TO_JUDGE = 20
# What a caller may be told: that the ledger or the pool cannot be used, or nothing, because the web
# process was killed. Anything else was raised raw.
REFUSALS = {"LedgerUnavailable", "PoolUnavailable", "StateLost", "ConnectionError"}
CUT_OFF = {"ConnectionError", "ChunkedEncodingError", "ReadTimeout"}
# A worker ends by itself when one of its children dies while it starts.
START_SECONDS = 30.0


def too_slow(facts: Facts) -> Iterator[str]:
    for call in facts.notes.calls:
        if call.seconds > CALL_SECONDS and not _was_cut_off(call, facts):
            yield f"{call.endpoint} took {call.seconds:.1f} s {_when(call, facts)}"


def _was_cut_off(call: Call, facts: Facts) -> bool:
    """Its process was killed; who waited for the answer may have waited in vain."""
    return call.refusal in CUT_OFF and facts.notes.has_been(
        {"kill_web"}, since=call.asked_at, until=call.until
    )


def raised_raw(facts: Facts) -> Iterator[str]:
    for call in facts.notes.calls:
        if call.refusal and call.refusal not in REFUSALS and not _was_cut_off(call, facts):
            yield f"{call.endpoint} ended with {call.refusal} {_when(call, facts)}"


def too_many_refused(facts: Facts) -> Iterator[str]:
    submissions = [call for call in facts.notes.calls if call.endpoint == "submit"]
    refused = [call for call in submissions if call.refusal]
    if len(submissions) >= FEWEST_TO_JUDGE and len(refused) > REFUSED_SHARE * len(submissions):
        yield f"{len(refused)} of {len(submissions)} submissions were refused"


def died_by_themselves(facts: Facts) -> Iterator[str]:
    for death in facts.notes.died:
        was_hit = any(
            kill.group == death.group and 0 <= death.at - kill.at < START_SECONDS
            for kill in facts.notes.kills
        )
        if not was_hit:
            yield str(death)


def _when(call: Call, facts: Facts) -> str:
    return f"{call.asked_at - facts.notes.began_at:.1f} s after the beginning"
