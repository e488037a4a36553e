"""The headers of the Lua scripts say what the scripts do, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.lua_scripts import LUA_DIR, LuaScript, load_scripts

SCRIPTS = load_scripts()
KEYS = PoolKeys("{x}:")
EACH = pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.name)
FILES = sorted(LUA_DIR.rglob("*.lua"))
# Keys that are reached by their names in a list: key[name].
BY_NAME = {
    "dead_letters": {"active", "leases", "unconfirmed", "waiting", "delayed", "held", "finished"},
    "take_legacy": {"active", "queues", "stats"},
}


def code_of(source: str) -> str:
    return re.sub(r"--[^\n]*", "", source)


def used(script: LuaScript, table: str) -> set[str]:
    return set(re.findall(rf"\b{table}\.(\w+)", code_of(script.source)))


def reached_by_name(script: LuaScript) -> set[str]:
    loops = "local function dead_letter(" in script.source
    return BY_NAME.get("dead_letters" if loops else script.name, set())


def test_scripts_are_found() -> None:
    assert {"submit", "claim", "confirm", "finish", "reap", "snapshot"} <= set(SCRIPTS)


@EACH
def test_its_keys_are_the_ones_it_uses(script: LuaScript) -> None:
    assert set(script.keys) == used(script, "key") | reached_by_name(script)


@EACH
def test_its_arguments_are_the_ones_it_uses(script: LuaScript) -> None:
    assert set(script.args) == used(script, "arg")


@EACH
def test_its_codes_are_the_ones_it_returns(script: LuaScript) -> None:
    assert script.codes == set(re.findall(r"refuse\('(\w+)'", script.source))


@EACH
def test_its_keys_have_their_home_in_pool_keys(script: LuaScript) -> None:
    assert all(getattr(KEYS, name).startswith("{x}:") for name in script.keys)
    assert len(script.keys) == len(set(script.keys))


@EACH
def test_it_begins_with_what_it_is_for(script: LuaScript) -> None:
    text = (LUA_DIR / f"{script.name}.lua").read_text("utf-8")
    assert re.match(rf"-- {script.name.replace('_', ' ').capitalize()}: ", text)
    assert re.search(r"^-- OK\b", text, re.MULTILINE)


@EACH
def test_a_family_is_marked_as_one(script: LuaScript) -> None:
    text = (LUA_DIR / f"{script.name}.lua").read_text("utf-8")
    text += (LUA_DIR / "includes" / "state.lua").read_text("utf-8")
    header = " ".join(re.findall(r"^-- KEYS  (.*)$", text, re.MULTILINE))
    for name in script.keys:
        is_family = getattr(KEYS, name).endswith(":")
        assert bool(re.search(rf"\b{name}\([^)]*\*\)", header)) == is_family


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_short_and_makes_no_key_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert "worker_pool" not in code_of(text)
    assert not re.search(r"\bKEYS\b|\bARGV\b", code_of(text))
    assert "tostring" not in code_of(text)
