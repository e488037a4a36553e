"""The pool's Lua scripts, one per verb, found in ``lua/``.

A script's header is its interface, and the only place where it is written down::

    -- Confirm: what it does.
    --
    -- KEYS  task_family(hash*) active(zset)      attributes of PoolKeys, with their Redis type
    -- ARGV  task_id(id) lease_us(µs)             names, with their unit
    -- OK    task(flat)                           what follows {'OK', broken, ...}
    -- ERR   NOT_FOUND GONE                       the codes of {'ERR', code, detail}
    -- @include holder                            lua/includes/holder.lua, each once

Every script begins with ``includes/state.lua``, which refuses with STATE_LOST where the state is
not the one that the caller means; its keys and arguments are added to the script's own. A script
with a line ``-- UNGUARDED why`` does without.

In the body they are read by name: ``key.active``, ``arg.task_id``. All base keys are given in
KEYS; a type with a star is a family, whose keys are made by appending an id, a CRM or a token.
"flat" is a list of names and values in turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ingestion.pool.clock import seconds_to_us
from ingestion.pool.order_rule import FRONT
from ingestion.pool.store import ANSWER_SECONDS, FORGET_WORKER_SECONDS, PoolPolicy

LUA_DIR = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)
KEEP_LEGACY_SECONDS = 30 * 86_400
UNGUARDED = re.compile(r"^-- UNGUARDED \w", re.MULTILINE)
UNIT = re.compile(r"\([^)]*\)")


@dataclass(frozen=True)
class LuaScript:
    """``keys`` are attributes of PoolKeys, ``args`` names of arguments, both in order."""

    name: str
    source: str
    keys: tuple[str, ...]
    args: tuple[str, ...]
    codes: frozenset[str]


def load_scripts(folder: Path = LUA_DIR) -> dict[str, LuaScript]:
    """Every script of the folder by its verb."""
    return {path.stem: _load(path) for path in sorted(folder.glob("*.lua"))}


@cache
def _read(path: Path) -> str:
    """Most scripts include the same files, and every process that starts loads them all."""
    return path.read_text("utf-8")


def _load(path: Path) -> LuaScript:
    text, includes = path.read_text("utf-8"), path.parent / "includes"
    guard = "" if UNGUARDED.search(text) else _read(includes / "state.lua")
    keys, args = _names(text, guard, "KEYS"), _names(text, guard, "ARGV")
    names = f"local key = {_table('KEYS', keys)}\nlocal arg = {_table('ARGV', args)}\n"
    source = names + _with_includes(guard + text, includes, set())
    return LuaScript(path.stem, source, keys, args, frozenset(_header(text, "ERR")))


def _names(text: str, guard: str, word: str) -> tuple[str, ...]:
    """The script's own, then those that only the guard needs."""
    return tuple(dict.fromkeys((*_header(text, word), *_header(guard, word))))


def _header(text: str, word: str) -> tuple[str, ...]:
    lines = re.findall(rf"^-- {word}  ?(.*)$", text, re.MULTILINE)
    return tuple(name for line in lines for name in UNIT.sub("", line).split())


def _table(source: str, names: tuple[str, ...]) -> str:
    pairs = (f"{name} = {source}[{n}]" for n, name in enumerate(names, start=1))
    return "{" + ", ".join(pairs) + "}"


def _with_includes(text: str, folder: Path, done: set[str]) -> str:
    def include(found: re.Match[str]) -> str:
        if found[1] in done:
            return ""
        done.add(found[1])
        return _with_includes(_read(folder / f"{found[1]}.lua"), folder, done)

    return INCLUDE.sub(include, text)


def policy_args(policy: PoolPolicy) -> dict[str, object]:
    """The arguments that are the same in every call."""
    return {
        "default_max_workers": policy.default_max_workers,
        "lease_us": seconds_to_us(policy.lease_seconds),
        "stale_us": seconds_to_us(policy.stale_seconds),
        "dispatch_us": seconds_to_us(policy.dispatch_seconds),
        "retention_ms": max(1, round(policy.retention_seconds * 1000)),
        "worker_ttl_us": seconds_to_us(policy.worker_ttl_seconds),
        "backoff_us": seconds_to_us(policy.retry_backoff_seconds),
        "backoff_max_us": seconds_to_us(policy.retry_backoff_max_seconds),
        "lost_message": policy.lost_message,
        "stale_message": policy.stale_message,
        "not_taken_message": policy.not_taken_message,
        "most_resends": policy.most_resends,
        "untaken_max_us": seconds_to_us(policy.longest_untaken_seconds),
        "front": FRONT,
        "answer_seconds": ANSWER_SECONDS,
        "forget_worker_us": seconds_to_us(FORGET_WORKER_SECONDS),
        "keep_legacy_seconds": KEEP_LEGACY_SECONDS,
    }
