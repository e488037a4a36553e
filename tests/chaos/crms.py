"""The CRMs of real syncs: sandboxes in the process of the chaos, which nothing is done to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.serving.server import SandboxServer
from tests.chaos.plan import ROUTES
from tests.chaos.processes import ROOT

ROWS = 60
VERIFY_SECONDS = 300.0


@contextmanager
def serving(folder: Path, *, warehouse_url: str) -> Iterator[dict[str, str]]:
    """Gives the settings of a system whose syncs are real."""
    names = tuple(crm for crm, _ in ROUTES)
    with SandboxServer(folder / "crms", rows=ROWS, names=names, port=0) as server:
        yield {**server.settings, "WAREHOUSE_URL": warehouse_url, "CHAOS_SYNCS": "real"}


def differences(env: dict[str, str]) -> Iterator[str]:
    """Whether the warehouse holds what the CRMs have, read by what shares nothing with the syncs."""
    for crm, model in ROUTES:
        command = ["verify_warehouse", crm, "--model", model, "--no-progress"]
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS,
            check=False,
        )
        if done.returncode:
            yield f"the warehouse differs from {crm} {model}: {done.stdout[-500:]}{done.stderr[-500:]}"
