"""Other queues, each as its documentation shows it: one module with ``submit`` and what a worker runs.

They are installed in an environment of their own, so none of them is imported by the project.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Peer:
    """``worker``: the words that start two processes, or two slots, of it; the first is a program of
    its package. ``prepare``: what makes its tables."""

    module: str
    packages: tuple[str, ...]
    worker: tuple[str, ...]
    prepare: tuple[str, ...] = ()


_APP = "benchmarks.pool.peers"
PEERS: Mapping[str, Peer] = {
    "RQ": Peer(f"{_APP}.by_rq", ("rq",), ("rq", "worker-pool", "bench", "-n", "2", "-q")),
    "procrastinate": Peer(
        f"{_APP}.by_procrastinate",
        ("procrastinate", "psycopg[binary]"),
        ("procrastinate", f"--app={_APP}.by_procrastinate.app", "worker", "--concurrency=2"),
        ("procrastinate", f"--app={_APP}.by_procrastinate.app", "schema", "--apply"),
    ),
    "huey": Peer(
        f"{_APP}.by_huey",
        ("huey", "redis"),
        ("huey_consumer", f"{_APP}.by_huey.queue", "-w", "2", "-k", "process", "-q"),
    ),
    "dramatiq": Peer(
        f"{_APP}.by_dramatiq",
        ("dramatiq[redis]",),
        ("dramatiq", f"{_APP}.by_dramatiq", "-p", "2", "-t", "1"),
    ),
}


def install(folder: Path) -> str:
    """Into an environment of their own; '' or, in one line, why that cannot be had."""
    if (folder / ".installed").exists():
        return ""
    packages = sorted({package for peer in PEERS.values() for package in peer.packages})
    try:
        venv.create(folder, clear=True, with_pip=True)
        words = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as problem:
        told = (getattr(problem, "stderr", "") or str(problem)).strip().splitlines()
        return told[-1] if told else str(problem)
    (folder / ".installed").touch()
    return ""


def versions(python: str) -> dict[str, str]:
    """Of what was measured, by package."""
    names = ["celery", "redis", "psycopg", "Django", "rq", "procrastinate", "huey", "dramatiq"]
    code = (
        "import importlib.metadata as m, json\n"
        "found = {d.name.lower(): d.version for d in m.distributions()}\n"
        f"print(json.dumps({{n: found[n.lower()] for n in {names} if n.lower() in found}}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found | {"Python": sys.version.split()[0]}
