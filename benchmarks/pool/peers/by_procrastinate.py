"""procrastinate: https://procrastinate.readthedocs.io/en/stable/howto/basics/."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.pool import runs

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(name="work")
def work(milliseconds: float) -> None:
    runs.run(milliseconds)


def submit(count: int, milliseconds: float = 0) -> None:
    connector = SyncPsycopgConnector(conninfo=os.environ["DATABASE_URL"])
    with app.replace_connector(connector), app.open():
        for _ in range(count):
            work.defer(milliseconds=milliseconds)
